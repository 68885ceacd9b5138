// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Plain functions to be called soon, after a delay or at a point in time. From threads that are no
// workers: runtime::call_soon and its like.
#pragma once

#include <chrono>
#include <type_traits>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/task/callback.hpp"
#include "weft/task/deadline.hpp"

namespace weft {

/// A callback that was scheduled. Copies are the same one; the last of them may go at any time,
/// which neither cancels the callback nor keeps what it captured: that goes as soon as it was
/// called, cancelled or dropped by the end of the runtime. Any thread; may outlive the runtime. An
/// empty handle (default-constructed or moved from) only compares and converts to false.
class timer_handle {
public:
    timer_handle() noexcept = default;
    timer_handle(const timer_handle& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) state_->retain();
    }
    timer_handle(timer_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    timer_handle& operator=(timer_handle other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~timer_handle() {
        if (state_ != nullptr) state_->drop();
    }

    explicit operator bool() const noexcept { return state_ != nullptr; }
    friend bool operator==(const timer_handle&, const timer_handle&) noexcept = default;

    /// True: the callback is not called, now or later, and its timer is gone; the first such call
    /// has destroyed the callable and its arguments, on this thread, before it returns. False: too
    /// late, it has been called or is being called, perhaps by this very call. Never waits.
    bool cancel() const { return state().cancel(); }
    /// Whether it was cancelled, or dropped by the end of the runtime: it is never called.
    [[nodiscard]] bool cancelled() const { return state().is_cancelled(); }
    /// The deadline; of call_soon, which reads no clock, time_point::min().
    [[nodiscard]] std::chrono::steady_clock::time_point when() const { return state().when(); }

private:
    friend detail::callback_access;
    explicit timer_handle(detail::callback_state& adopted) noexcept : state_(&adopted) {}
    [[nodiscard]] detail::callback_state& state() const {
        WEFT_CHECK(state_ != nullptr, "this timer handle is empty or was moved from");
        return *state_;
    }
    detail::callback_state* state_ = nullptr;
};

/// Calls `f(args...)`, moved or copied to where they wait, on a worker of the current runtime: as
/// ready work of its own, never inside of this call. With one worker, callbacks and tasks run in
/// the order in which they were made, so what a callback schedules comes after all that was ready
/// before; with more, callbacks run beside each other like tasks (a strand keeps them apart).
///
/// `f` must not block: it keeps its worker. In it there is no current task, but it may schedule
/// callbacks and create tasks; both have the priority of the task that scheduled it. Its task-local
/// values are those of whoever scheduled it, at that time; what it sets it sets for itself. What it
/// returns is dropped; an exception goes to the runtime's failure handler as
/// failure::kind::in_callback.
///
/// Inside tasks and callbacks; throws usage_error elsewhere, runtime_closed in the last phase of
/// shutdown, std::bad_alloc, and what copying throws: then `f` is not called.
template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_soon(F&& f, Args&&... args);

/// The same once `delay` has passed, not before. Callbacks that are due together are called by
/// deadline, those with equal ones in the order of these calls; this holds for a delay of zero and
/// for a negative one as well, and those are called in the next round. Throws
/// std::invalid_argument if the delay is not a number; one beyond the clock's range means "never".
template <class Rep, class Period, class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_later(std::chrono::duration<Rep, Period> delay, F&& f, Args&&... args);

/// The same at a point in time of the monotonic clock.
template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_at(std::chrono::steady_clock::time_point deadline, F&& f, Args&&... args);

// ---------------------------------------------------------------------------------------------

namespace detail {

struct callback_access {
    /// `here`: this thread's worker, or null.
    template <class State, class F, class... Args>
    static timer_handle start(worker_port* here, runtime_port& home, time_point when, F&& f,
                              Args&&... args) {
        static_assert(!coroutine_callable<F, Args...>,
                      "a coroutine that nobody awaits does nothing: give it to create_task");
        using call = bound_call<std::decay_t<F>, std::decay_t<Args>...>;
        const bool is_home = here != nullptr && &here->runtime() == &home;
        auto* made = callback_record<State, call>::make(
            call(std::in_place, std::forward<F>(f), std::forward<Args>(args)...),
            is_home ? *here : home.any_worker(), home, when);
        timer_handle handle{*made};
        made->start(here);
        return handle;
    }
};

}  // namespace detail

template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_soon(F&& f, Args&&... args) {
    detail::worker_port& here = detail::worker_for_callback();
    return detail::callback_access::start<detail::callback_state>(
        &here, here.runtime(), detail::time_point::min(), std::forward<F>(f),
        std::forward<Args>(args)...);
}

template <class Rep, class Period, class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_later(std::chrono::duration<Rep, Period> delay, F&& f, Args&&... args) {
    return weft::call_at(detail::point_after(detail::to_signed_nanoseconds(delay)),
                         std::forward<F>(f), std::forward<Args>(args)...);
}

template <class F, class... Args>
    requires detail::callback_function<F, Args...>
timer_handle call_at(std::chrono::steady_clock::time_point deadline, F&& f, Args&&... args) {
    detail::worker_port& here = detail::worker_for_callback();
    return detail::callback_access::start<detail::timed_callback>(
        &here, here.runtime(), deadline, std::forward<F>(f), std::forward<Args>(args)...);
}

}  // namespace weft
