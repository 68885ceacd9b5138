// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// with_timeout: a limit on how long a coroutine may take, run in place in the caller's task. How
// its timer meets its end: expiry.hpp.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/error.hpp"
#include "weft/task/coro.hpp"
#include "weft/time/expiry.hpp"
#include "weft/time/sleep.hpp"

namespace weft {

namespace detail {

class timeout_scope : public timer_waiter {
public:
    explicit timeout_scope(time_point deadline) noexcept
        : timer_waiter(&on_fire), until_(deadline) {}
    timeout_scope(const timeout_scope&) = delete;
    timeout_scope& operator=(const timeout_scope&) = delete;

    [[nodiscard]] bool entered() const noexcept { return self_ != nullptr; }
    void enter(runnable& self) noexcept;
    /// Disarms. True if the scope's own request is what ended a body that ended by cancellation.
    [[nodiscard]] bool leave() noexcept;

private:
    static std::uint64_t on_fire(timer_waiter& waiter) noexcept;

    time_point until_;
    runnable* self_ = nullptr;
    std::uint32_t baseline_ = 0;
    expiry<real_environment> expiry_;
};

template <class T>
class timeout_awaiter {
public:
    timeout_awaiter(time_point deadline, coro<T> body) noexcept
        : scope_(deadline), body_(std::move(body)) {}

    bool await_ready() const noexcept {
        WEFT_CHECK(!scope_.entered(), "a with_timeout is awaited once");
        WEFT_CHECK(body_.valid(), "with_timeout was given a coro that was awaited or moved from");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& self = caller.promise().current();
        coro_access::promise(body_).enter(self, &caller.promise());
        scope_.enter(self);
        return transfer(self, coro_access::handle(body_));
    }
    T await_resume() {
        auto& result = coro_access::promise(body_).result;
        if (scope_.leave() && result.has_error() && is_cancellation(result.error())) {
            throw timeout_error();
        }
        return result.take();
    }

private:
    timeout_scope scope_;
    coro<T> body_;
};

}  // namespace detail

/// Runs `body` in the current task; if it has not ended after `limit`, cancels it, waits until it
/// really ended, and throws timeout_error. A value or an exception of the body's own, even one
/// thrown while it was being stopped, comes first; so does a cancellation that somebody else asked
/// for. A body that never suspends is never timed out. `limit` <= 0 expires at the first
/// suspension.
template <class T, class Rep, class Period>
[[nodiscard]] detail::timeout_awaiter<T> with_timeout(std::chrono::duration<Rep, Period> limit,
                                                      coro<T> body WEFT_LIFETIMEBOUND) {
    return detail::timeout_awaiter<T>{detail::deadline_after(detail::to_nanoseconds(limit)),
                                      std::move(body)};
}

/// The same with a point in time of the monotonic clock.
template <class T>
[[nodiscard]] detail::timeout_awaiter<T> with_timeout_at(
    std::chrono::steady_clock::time_point deadline, coro<T> body WEFT_LIFETIMEBOUND) {
    return detail::timeout_awaiter<T>{detail::deadline_at(deadline), std::move(body)};
}

}  // namespace weft
