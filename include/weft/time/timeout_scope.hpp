// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timeout_scope: a time limit with a name, to look at it and to move it. What runs in it is
// with_timeout's (with_timeout.hpp); how its timer meets its end is in expiry.hpp.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "weft/error.hpp"
#include "weft/task/coro.hpp"
#include "weft/time/expiry.hpp"
#include "weft/time/time_limit.hpp"

namespace weft {

namespace detail {
template <class T, class Scope>
class limited_body;
}  // namespace detail

/// A limit for one `co_await with_timeout(scope, body)`, which it outlives: a local of the
/// coroutine that awaits, or one of with_timeout's own, which its body is given. `body` may be
/// handed a reference, and whoever gets it from there must be done with it when the body ends.
/// Destroying a scope whose body runs ends the process.
class timeout_scope : private detail::timer_waiter {
public:
    /// A duration counts from here.
    explicit timeout_scope(time_limit limit) noexcept : timeout_scope(detail::resolve(limit)) {}
    timeout_scope(const timeout_scope&) = delete;
    timeout_scope& operator=(const timeout_scope&) = delete;
    ~timeout_scope() {
        WEFT_CHECK(stage_ != stage::active,
                   "a timeout_scope was destroyed while its body runs: it has to be a local of "
                   "the coroutine that awaits with_timeout");
    }

    /// The deadline; none if there is no limit.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> when() const noexcept {
        if (when_ == detail::time_point::max()) return std::nullopt;
        return when_;
    }
    /// Another limit from now on, earlier or later, or none; a duration counts from now. For the
    /// body itself, on whatever worker it is: not for other tasks, nor for the children of a
    /// when_all in it. As long as the expiry has not reached the body, this comes in time, even if
    /// the old deadline has passed. Throws usage_error once it has, and outside of the body.
    void reschedule(time_limit limit);
    /// Whether the limit has interrupted the body, or what that awaited; also true where the body
    /// did not let itself be stopped. For the body, and for its caller once it has ended. A body
    /// that has not suspended since the deadline was not interrupted.
    [[nodiscard]] bool expired() const noexcept;

private:
    template <class T, class Scope>
    friend class detail::limited_body;
    enum class stage : std::uint8_t { fresh, active, over };

    explicit timeout_scope(detail::resolved_limit limit) noexcept
        : timer_waiter(&on_fire), when_(limit.when), has_passed_(limit.has_passed) {}

    [[nodiscard]] bool is_fresh() const noexcept { return stage_ == stage::fresh; }
    void throw_unless_fresh() const;
    void enter(detail::runnable& self) noexcept;
    /// True if the scope's own request is what ended a body that ended by cancellation.
    [[nodiscard]] bool leave() noexcept;
    void start_timer() noexcept;
    [[nodiscard]] std::optional<std::uint32_t> stop_timer() noexcept;
    static std::uint64_t on_fire(detail::timer_waiter& waiter) noexcept;

    detail::time_point when_;
    detail::runnable* self_ = nullptr;  // of the body
    std::uint32_t baseline_ = 0;
    stage stage_ = stage::fresh;
    bool has_passed_;
    bool expired_ = false;  // once over
    detail::expiry<detail::real_environment> expiry_;
};

namespace detail {

/// Throws timeout_error with what the body ended by.
[[noreturn]] void throw_timeout(const std::exception_ptr& cause);

/// The await of a coroutine in a scope, without its result. `Scope`: timeout_scope, or a reference
/// to one that the caller has.
template <class T, class Scope>
class limited_body {
public:
    template <class Limit>
    limited_body(Limit&& limit, coro<T> body) noexcept
        : scope_(std::forward<Limit>(limit)), body_(std::move(body)) {}

    bool await_ready() const noexcept(!std::is_reference_v<Scope>) {
        if constexpr (std::is_reference_v<Scope>)
            scope_.throw_unless_fresh();
        else
            WEFT_CHECK(scope_.is_fresh(), "a with_timeout is awaited once");
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

protected:
    /// At the resumption, once: disarms.
    [[nodiscard]] bool ended_by_limit() noexcept {
        return scope_.leave() && result().has_error() && is_cancellation(result().error());
    }
    [[nodiscard]] result_slot<T>& result() noexcept { return coro_access::promise(body_).result; }
    /// What the body ended with is of no use.
    void discard() noexcept { coro_access::discard(body_); }

private:
    Scope scope_;
    coro<T> body_;
};

}  // namespace detail

}  // namespace weft
