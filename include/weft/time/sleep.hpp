// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Waiting for time to pass, and letting others go first.
#pragma once

#include <chrono>
#include <coroutine>
#include <type_traits>
#include <utility>

#include "weft/task/coro.hpp"
#include "weft/task/deadline.hpp"

namespace weft {

namespace detail {

class sleep_operation : public operation, public timer_waiter {
public:
    explicit sleep_operation(time_point deadline) noexcept
        : timer_waiter(&on_fire), until_(deadline) {}
    /// Of one that nobody awaits.
    sleep_operation(sleep_operation&& other) noexcept : sleep_operation(other.until_) {
        WEFT_CHECK(other.self_ == nullptr, "a sleep was moved while a task awaits it");
    }
    sleep_operation(const sleep_operation&) = delete;
    sleep_operation& operator=(const sleep_operation&) = delete;

    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    WEFT_INLINE_RESUME void await_resume() {
        if (runnable* const asked = end()) [[unlikely]]
            throw_cancelled(*asked);
    }

    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;

private:
    bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    /// Whoever must throw, or null.
    [[nodiscard]] runnable* end() noexcept;
    static std::uint64_t on_fire(timer_waiter& waiter) noexcept;

    time_point until_;
    runnable* self_ = nullptr;
};

/// What is awaited gives `T`.
template <class T>
class sleep_with_result final : public sleep_operation {
public:
    template <class U>
    sleep_with_result(time_point deadline, U&& result)
        : sleep_operation(deadline), result_(std::forward<U>(result)) {}
    T await_resume() {
        sleep_operation::await_resume();
        return std::move(result_);
    }

private:
    T result_;
};

class yield_operation {
public:
    yield_operation() noexcept {}
    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        begin(caller.promise().current(), caller);
    }
    WEFT_INLINE_RESUME void await_resume() {
        if (self_->lifecycle.take_requests()) [[unlikely]]
            throw_cancelled(*self_);
    }

private:
    void begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    runnable* self_ = nullptr;
};

}  // namespace detail

/// Goes to the back of the ready queue: other tasks, timers and descriptors get their turn first.
/// A cancellation point.
[[nodiscard]] inline detail::yield_operation yield() noexcept { return {}; }

/// Suspends the task until `deadline` of the monotonic clock, never shorter. A deadline in the past
/// costs one round, like yield. Cancellation removes the timer at once.
[[nodiscard]] inline detail::sleep_operation sleep_until(
    std::chrono::steady_clock::time_point deadline) noexcept {
    return detail::sleep_operation{deadline};
}

/// Suspends the task for `delay`, never shorter; zero or less costs one round. A delay that is not
/// a number throws std::invalid_argument; one beyond the clock's range means "never".
template <class Rep, class Period>
[[nodiscard]] detail::sleep_operation sleep(std::chrono::duration<Rep, Period> delay) {
    return detail::sleep_operation{detail::deadline_after(detail::to_nanoseconds(delay))};
}

/// The same; `co_await` gives a copy of `result`, made now, or moved from one that may be moved.
template <class Rep, class Period, class T>
[[nodiscard]] detail::sleep_with_result<std::decay_t<T>> sleep(
    std::chrono::duration<Rep, Period> delay, T&& result) {
    return detail::sleep_with_result<std::decay_t<T>>{
        detail::deadline_after(detail::to_nanoseconds(delay)), std::forward<T>(result)};
}

}  // namespace weft
