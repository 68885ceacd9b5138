// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// context: task-local values outside of tasks. Tasks, callbacks and calls run in one, one after the
// other, and each finds what the one before has set (asyncio's contextvars.Context). Why one at a
// time: docs/decisions/0028-one-task-in-a-context.md.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/base/lifetime.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/task_local.hpp"

namespace weft {

namespace detail {

class context_state;

/// The right to enter a context, which one has at a time. Any thread.
class context_claim {
public:
    /// Throws usage_error if another has it.
    explicit context_claim(std::shared_ptr<context_state> of);
    context_claim(context_claim&& other) noexcept = default;
    context_claim& operator=(context_claim&&) = delete;
    ~context_claim();

    [[nodiscard]] context_state& of() const noexcept { return *of_; }
    [[nodiscard]] std::shared_ptr<const std::uint64_t> number() const noexcept;

private:
    std::shared_ptr<context_state> of_;
};

/// While it lives, the current task has the context's values in the place of its own. Begins and
/// ends in that task.
class context_entry {
public:
    /// Throws usage_error where no values can be set, and std::bad_alloc.
    explicit context_entry(context_claim claim);
    context_entry(const context_entry&) = delete;
    context_entry& operator=(const context_entry&) = delete;
    ~context_entry();

private:
    context_claim claim_;
    context_ref outside_;
};

template <class R>
concept gives_coro = requires { typename coro_result<std::remove_cvref_t<R>>::type; };

/// What is called where it stands.
template <class F, class... Args>
concept context_function = std::invocable<F, Args...> && !coroutine_callable<F, Args...>;

}  // namespace detail

/// A handle: copies are the same context, `copy()` makes another one. It holds the values that a
/// new task would begin with, so none of variables with inheritance::none, and keeps them alive.
///
/// What is run in a context sees its values and no others, and what it sets there stays there:
/// whoever is run in it next finds that, the task that called `run` does not. So
/// `create_task(context.run(body()))` is asyncio's `create_task(body(), context=context)`, and it
/// is the same with all that takes a coroutine: `task_group::create_task`, `gather`,
/// `runtime::spawn`, `weft::run`. A callback runs in a context if it says so itself:
/// `call_soon([context] { context.run(&f); })`.
///
/// One task is in a context at a time: a second `run` meanwhile throws usage_error. Tasks that are
/// created inside begin with a copy, as ever, and go on when the context is left. Whoever is to run
/// beside another is given a `copy()`.
///
/// Any thread may have handles, copy and read. What is set by the one who is in a context is seen
/// by others, in `get` and `copy`, when he has left it; by himself at once.
class context {
public:
    /// Without values. Throws std::bad_alloc.
    context() : context(detail::context_ref()) {}
    // Without moves: a handle is never empty.
    context(const context&) noexcept = default;
    context& operator=(const context&) noexcept = default;

    /// `co_await c.run(body())` runs the coroutine in this context, in the awaiting task, and gives
    /// what it gives. It is entered from this call until the coroutine has ended, before whoever
    /// awaits it goes on, or is destroyed without having begun. Throws usage_error if it is entered
    /// already, and std::bad_alloc; the await throws usage_error in a child of when_all or of a
    /// parallel loop, whose siblings share the task's values.
    template <class T>
    WEFT_OWNS_ARGUMENTS [[nodiscard]] coro<T> run(coro<T> body WEFT_LIFETIMEBOUND) const;
    /// The same for `f(args...)`, which returns a coroutine: moves both into a frame.
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    WEFT_OWNS_ARGUMENTS [[nodiscard]] auto run(F&& f, Args&&... args) const {
        return run(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
            std::forward<F>(f), std::forward<Args>(args)...));
    }
    /// Calls `f(args...)`, which returns no coroutine, in this context, and gives what it gives.
    /// Tasks that it creates and callbacks that it registers, done-callbacks too, begin with a copy
    /// of the values. In tasks and callbacks; throws usage_error elsewhere, and as the others do.
    template <class F, class... Args>
        requires detail::context_function<F, Args...>
    decltype(auto) run(F&& f, Args&&... args) const {
        static_assert(
            !detail::gives_coro<std::invoke_result_t<F, Args...>>,
            "run would end before the coroutine begins: give it the coroutine, f(args...)");
        const detail::context_entry entry{detail::context_claim{state_}};
        return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
    }

    /// The variable's value here; empty if it is not set, whatever its default.
    template <class T>
    [[nodiscard]] std::optional<T> get(const task_local<T>& variable) const {
        const std::shared_ptr<const void> held = find(variable.id_);
        if (held == nullptr) return std::nullopt;
        return std::optional<T>(std::in_place, *static_cast<const T*>(held.get()));
    }
    /// Another context with the same values. Throws std::bad_alloc.
    [[nodiscard]] context copy() const { return context(values()); }

private:
    friend context copy_context();
    friend context copy_context(const any_task& of);

    explicit context(detail::context_ref values);
    [[nodiscard]] detail::context_ref values() const;
    [[nodiscard]] std::shared_ptr<const void> find(std::uint64_t variable) const;

    std::shared_ptr<detail::context_state> state_;
};

/// A context with the values that a task would begin with that was created here: those of the
/// current task or callback; outside of them none. Throws std::bad_alloc.
[[nodiscard]] context copy_context();
/// The same for another task, which may run meanwhile; a task that is done has none any more. Any
/// thread.
[[nodiscard]] context copy_context(const any_task& of);

// ---------------------------------------------------------------------------------------------

namespace detail {

template <class T>
coro<T> run_in_context(context_claim claim, coro<T> body) {
    const context_entry entry{std::move(claim)};
    co_return co_await std::move(body);
}

}  // namespace detail

template <class T>
coro<T> context::run(coro<T> body WEFT_LIFETIMEBOUND) const {
    WEFT_CHECK(body.valid(), "a context was given a coro that was awaited or moved from");
    const std::source_location location = detail::coro_access::promise(body).location();
    coro<T> inside = detail::run_in_context(detail::context_claim{state_}, std::move(body));
    detail::coro_access::promise(inside).stand_for(location);
    return inside;
}

}  // namespace weft
