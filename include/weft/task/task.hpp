// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Handles to tasks. Copyable, reference-counted, usable from any thread. The runtime owns a task
// until it is done, so dropping every handle detaches it: it neither cancels nor destroys it.
#pragma once

#include <compare>
#include <cstdint>
#include <exception>
#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/error.hpp"
#include "weft/task/ready_turn.hpp"
#include "weft/task/task_record.hpp"

namespace weft {

/// Names one registration of a done-callback.
using callback_token = std::uint64_t;
struct await_chain;

namespace detail {
struct task_access;
template <class T, bool Move>
class task_awaiter;
}  // namespace detail

/// A task whatever it returns: what `current_task()` and `all_tasks()` give. An empty handle
/// (default-constructed or moved from) only compares and converts to false.
class any_task {
public:
    any_task() noexcept = default;
    any_task(const any_task& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) state_->retain();
    }
    any_task(any_task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    any_task& operator=(any_task other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~any_task() {
        if (state_ != nullptr) state_->drop();
    }

    explicit operator bool() const noexcept { return state_ != nullptr; }
    friend bool operator==(const any_task&, const any_task&) noexcept = default;

    /// True once the body ended, however; never false again.
    [[nodiscard]] bool done() const { return state().is_done(); }
    /// True if it ended because `cancelled` left the body.
    [[nodiscard]] bool cancelled() const;
    /// The exception that the task ended with, nullptr for a value. Marks it as observed. Throws
    /// `weft::cancelled` for a cancelled task, invalid_state_error for one that is not done.
    [[nodiscard]] std::exception_ptr exception() const;
    /// Asks the task to stop: `cancelled` is thrown at its suspension point or at its next one. A
    /// request goes to what the task awaits; a task awaited may decline by finishing normally.
    /// False if the task is done already (then nothing happens). Any thread; never blocks.
    bool cancel(std::string_view reason = {},
                std::source_location where = std::source_location::current()) const;
    /// Requests so far, less those taken back by `uncancel`.
    [[nodiscard]] std::uint32_t cancelling() const;
    /// Takes one request back; at zero also one that was not delivered yet. Returns the rest.
    std::uint32_t uncancel() const;
    /// Runs `f(task)` on a worker once the task is done; soon if it already is. Never inline.
    /// Callbacks of one task run one after the other in the order of registration; one that throws
    /// is reported to the runtime's handler. Throws std::bad_alloc.
    callback_token add_done_callback(std::move_only_function<void(any_task)> f) const;
    /// True if the callback had not begun and will not run.
    bool remove_done_callback(callback_token token) const;

    /// The name given, or "Task-<id>".
    [[nodiscard]] std::string name() const { return state().name(); }
    void set_name(std::string_view name) const { state().set_name(name); }
    /// Its priority now.
    [[nodiscard]] weft::priority priority() const { return state().priority(); }
    /// From the next time on that it becomes ready; tasks that it has created keep theirs. Any
    /// thread. Throws std::invalid_argument for what is no priority.
    void set_priority(weft::priority level) const;
    /// Unique in the process, increasing from 1 in the order of creation on one worker.
    [[nodiscard]] std::uint64_t id() const { return state().id(); }
    /// The coroutine function that the task runs.
    [[nodiscard]] std::source_location location() const { return state().location(); }
    /// What it waits for, from its outermost coroutine on, through the tasks that it awaits: see
    /// weft/task/await_chain.hpp.
    [[nodiscard]] weft::await_chain await_chain() const;

protected:
    friend detail::task_access;
    explicit any_task(detail::task_state* adopted) noexcept : state_(adopted) {}
    [[nodiscard]] detail::task_state& state() const {
        WEFT_CHECK(state_ != nullptr, "this task handle is empty or was moved from");
        return *state_;
    }
    detail::task_state* state_ = nullptr;
};

/// A task that returns T. `co_await t` gives T&, which lives as long as a handle does, any number
/// of times, by any number of tasks; `co_await std::move(t)` gives T, moved out if nobody else
/// holds the task or T cannot be copied, else a copy. Awaiting rethrows what the body threw.
/// Awaiting a done task does not suspend, but each 128th await of one run that need not lets go
/// first what is ready. Cancelling the awaiting task cancels this one and lets it decide (shield it
/// to prevent that).
template <class T = void>
class task : public any_task {
public:
    using value_type = T;

    task() noexcept = default;

    /// The value; throws what the body threw, `weft::cancelled`, or invalid_state_error.
    [[nodiscard]] std::add_lvalue_reference_t<T> result() const;

    detail::task_awaiter<T, false> operator co_await() const&;
    detail::task_awaiter<T, true> operator co_await() &&;

private:
    friend detail::task_access;
    explicit task(detail::task_record<T>* adopted) noexcept;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

struct task_access {
    template <class T>
    static task<T> adopt(task_record<T>* record) noexcept {
        return task<T>{record};
    }
    static any_task adopt(task_state* state) noexcept { return any_task{state}; }
    static task_state* state(const auto& handle) noexcept { return handle.state_; }
    static any_task handle_of(const auto& future) noexcept { return future; }
    static task_state* release(any_task& t) noexcept { return std::exchange(t.state_, nullptr); }
    template <class T>
    static value_record<T>& record(const task<T>& t) noexcept {
        return static_cast<value_record<T>&>(t.state());
    }
};

/// The part of awaiting a task that does not depend on its result. Holds a reference once it waits;
/// until then the handle that is awaited, and the runtime, keep the task.
///
/// A task that would run next on this worker anyway is awaited *directly*: it runs at once, and the
/// awaiting runnable stays active, in no queue and in nobody's list, until either the task ends,
/// then it goes on, or anything but the task is to run, then the await is published: it waits like
/// any other (docs/decisions/0014-direct-awaits.md). Owner-confined until then, but for the
/// watchdog.
class task_join : public forwarding_operation, public completion_node {
public:
    enum class holding : bool { no, yes };
    task_join(task_state* target, holding reference) noexcept
        : completion_node(kind_), target_(target), holds_(reference == holding::yes) {}
    task_join(const task_join&) = delete;
    task_join& operator=(const task_join&) = delete;
    ~task_join() {
        if (holds_) target_->drop();
    }

    // The worker that runs a direct await's task.
    void publish() noexcept;
    /// Who goes on afterwards.
    [[nodiscard]] runnable& awaiting() const noexcept { return *self_; }
    [[nodiscard]] bool is_for(const runnable& task) const noexcept { return target_ == &task; }
    [[nodiscard]] bool was_asked() const noexcept { return self_->lifecycle.has_requests(); }
    [[nodiscard]] bool holds() const noexcept { return holds_; }
    void hold() noexcept {
        if (!std::exchange(holds_, true)) target_->retain();
    }
    /// The runtime's reference is this await's from now on.
    void adopt_reference() noexcept { holds_ = true; }

    runnable* next_to_cancel(const reason_ref& why) noexcept override;
    /// Gives up waiting: only when the target waits for this very runnable.
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

protected:
    [[nodiscard]] std::coroutine_handle<> begin(runnable& self,
                                                std::coroutine_handle<> caller) noexcept;
    /// At the resumption: throws what the await must throw, but for the task's own failure.
    void end();
    /// To be thrown, if it gave no value.
    [[nodiscard]] const std::exception_ptr& failure() const noexcept;
    [[nodiscard]] task_state& target() const noexcept { return *target_; }

private:
    [[nodiscard]] std::coroutine_handle<> begin_directly() noexcept;

    static const completion_kind kind_;
    task_state* target_;
    runnable* self_ = nullptr;
    bool holds_;
    bool asked_ = false;
    bool awaits_itself_ = false;
};

template <class T, bool Move>
class task_awaiter : private task_join {
public:
    /// `Move`: adopts the reference.
    explicit task_awaiter(task_state* target) noexcept
        : task_join(target, Move ? holding::yes : holding::no) {}
    bool await_ready() const noexcept { return target().is_done() && may_go_on(); }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    WEFT_INLINE_RESUME std::conditional_t<Move, T, std::add_lvalue_reference_t<T>> await_resume() {
        end();
        if (target().outcome() != task_state::outcome_kind::value) [[unlikely]]
            std::rethrow_exception(failure());
        if constexpr (Move && !std::is_void_v<T>)
            return static_cast<value_record<T>&>(target()).take();
        else if constexpr (!std::is_void_v<T>)
            return static_cast<value_record<T>&>(target()).value().get();
    }
};

}  // namespace detail

template <class T>
task<T>::task(detail::task_record<T>* adopted) noexcept : any_task(adopted) {}

template <class T>
std::add_lvalue_reference_t<T> task<T>::result() const {
    state().throw_unless_value();
    if constexpr (!std::is_void_v<T>) return detail::task_access::record(*this).value().get();
}

template <class T>
detail::task_awaiter<T, false> task<T>::operator co_await() const& {
    static_cast<void>(state());
    return detail::task_awaiter<T, false>{state_};
}

template <class T>
detail::task_awaiter<T, true> task<T>::operator co_await() && {
    static_cast<void>(state());
    return detail::task_awaiter<T, true>{detail::task_access::release(*this)};
}

}  // namespace weft
