// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// task_local<T>: a variable with a value of its own in each task, such as the request that a task
// works for (asyncio's contextvars).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "weft/task/task_context.hpp"

namespace weft {

class context;

/// Takes one set() back: see task_local::reset. It keeps the values of the time before alive.
class task_local_token;

/// A value that is set while this object lives: see task_local::with.
class task_local_scope;

namespace detail {

[[nodiscard]] std::uint64_t next_variable() noexcept;
/// In the task that runs on this thread, which keeps it until it sets the variable; null: not set.
[[nodiscard]] const void* find_local(std::uint64_t variable) noexcept;
[[nodiscard]] task_local_token set_local(inheritance how, task_context::value to);
void reset_local(std::uint64_t variable, task_local_token& by);
[[noreturn]] void throw_not_set(const std::source_location& variable);

}  // namespace detail

class task_local_token {
public:
    task_local_token(task_local_token&& other) noexcept
        : variable_(other.variable_),
          place_(other.place_),
          how_(other.how_),
          used_(std::exchange(other.used_, true)),
          before_(std::move(other.before_)),
          after_(std::move(other.after_)) {}
    task_local_token& operator=(task_local_token&&) = delete;

private:
    friend task_local_scope;
    friend task_local_token detail::set_local(inheritance how, detail::task_context::value to);
    friend void detail::reset_local(std::uint64_t variable, task_local_token& by);

    task_local_token(std::uint64_t variable, inheritance how, std::uint64_t place,
                     detail::context_ref before, detail::context_ref after) noexcept
        : variable_(variable),
          place_(place),
          how_(how),
          before_(std::move(before)),
          after_(std::move(after)) {}

    std::uint64_t variable_;
    std::uint64_t place_;  // the task, or the context that it was in: see place_of
    inheritance how_;
    bool used_ = false;
    detail::context_ref before_;
    detail::context_ref after_;
};

class [[nodiscard]] task_local_scope {
public:
    explicit task_local_scope(task_local_token token) noexcept : token_(std::move(token)) {}
    task_local_scope(const task_local_scope&) = delete;
    task_local_scope& operator=(const task_local_scope&) = delete;
    /// Ends the process, with a sentence, anywhere but in the task, and the context, that the value
    /// was set in.
    ~task_local_scope();

private:
    task_local_token token_;
};

/// A variable with a value for each task. Usually a constant at namespace scope; it outlives the
/// tasks that use it, and no other variable ever sees its values.
///
/// The values of a task are its own: it sees what it has set, whatever worker it is on, and nobody
/// sees that else. A new task (`create_task`, `gather` and their like, `runtime::spawn` by a task)
/// begins with the values that its creator has then, unless the variable says inheritance::none.
/// What both set afterwards they set for themselves. What is awaited without a task of its own, a
/// coroutine or an operation with a time limit, shares the values of the task that awaits.
///
/// The children of `when_all` and of the parallel loops are no tasks, and run at the same time:
/// they see the values of their task and cannot set any. A callback, of a task that is done or of
/// call_soon and its like, has the values of whoever registered it, at that time, and keeps to
/// itself what it sets. The main tasks of one runtime have values in common: each begins with those
/// that the last one to end has left. Tasks and callbacks that a thread without a task starts begin
/// with none, and so does what is posted to a strand. Who is to see later what a task has set gives
/// it a context to run in (weft/task/context.hpp).
///
/// A value is destroyed on whatever thread its last holder goes: the last of the tasks and
/// callbacks that have it, of the tokens, or the runtime. A task lets go of its own before it
/// is done. Tasks that share a value copy it at the same time: `T` must allow that, as everything
/// does whose const members are safe to call on several threads. Where copies are dear, use a
/// shared_ptr.
template <class T>
class task_local {
    static_assert(std::is_object_v<T> && std::copy_constructible<T>,
                  "a task-local value is copied out: make it copyable, or a std::shared_ptr");

public:
    using value_type = T;

    /// Without a default.
    explicit task_local(inheritance how = inheritance::copied,
                        std::source_location where = std::source_location::current())
        : how_(how), where_(where) {}
    explicit task_local(T default_value, inheritance how = inheritance::copied,
                        std::source_location where = std::source_location::current())
        : default_(std::move(default_value)), how_(how), where_(where) {}
    task_local(const task_local&) = delete;
    task_local& operator=(const task_local&) = delete;

    /// The value in the current task, else the default; without one, throws usage_error. On a
    /// thread without a task: the default.
    [[nodiscard]] T get() const {
        if (const void* found = detail::find_local(id_)) return *static_cast<const T*>(found);
        if (!default_) detail::throw_not_set(where_);
        return *default_;
    }
    [[nodiscard]] T operator*() const { return get(); }
    /// The same, with `otherwise` for a default.
    [[nodiscard]] T get_or(T otherwise) const {
        const void* found = detail::find_local(id_);
        return found != nullptr ? *static_cast<const T*>(found) : std::move(otherwise);
    }

    /// From now on the value in the current task; what comes back is for reset(), if that is
    /// wanted. Costs as much as a copy of the list of all that is set there. Throws usage_error
    /// outside of tasks and in a child of when_all or a parallel loop, and std::bad_alloc.
    task_local_token set(T value) const {
        return detail::set_local(how_, {id_, std::make_shared<const T>(std::move(value))});
    }
    /// Gives the variable the value again, or the want of one, that it had before that set().
    /// Throws usage_error if that was another variable, another task or another context, or was
    /// reset before; as set(). What was set in a context may be reset by whoever is in it then.
    void reset(task_local_token&& by) const { detail::reset_local(id_, by); }
    /// The same by scope, across awaits as well: `const auto scope = user.with(name);`. The scope
    /// belongs to the task and ends in it. Throws as set(); at its end, where something else was
    /// set meanwhile and stays, want of memory ends the process.
    [[nodiscard]] task_local_scope with(T value) const {
        return task_local_scope(set(std::move(value)));
    }

private:
    friend context;

    const std::uint64_t id_ = detail::next_variable();
    const std::optional<T> default_;
    const inheritance how_;
    const std::source_location where_;
};

}  // namespace weft
