// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Limits on how long something may take, in place in the caller's task: with_timeout, wait_for and
// move_on_after.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/base/lifetime.hpp"
#include "weft/task/awaitable.hpp"
#include "weft/task/create_task.hpp"
#include "weft/time/timeout_scope.hpp"

namespace weft {

namespace detail {

template <class T, class Scope>
class timeout_awaiter : private limited_body<T, Scope> {
    using body = limited_body<T, Scope>;

public:
    using body::await_ready, body::await_suspend;
    using body::body;
    T await_resume() {
        if (this->ended_by_limit()) throw_timeout(this->result().error());
        return this->result().take();
    }
};

/// What a limit that is no error gives: true, or the value, if the body ended in time.
template <class T>
using moved_on = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;

template <class T>
class move_on_awaiter : private limited_body<T, timeout_scope&> {
    using body = limited_body<T, timeout_scope&>;

public:
    using body::await_ready, body::await_suspend;
    using body::body;
    moved_on<T> await_resume() {
        if (this->ended_by_limit()) {
            this->discard();
            return {};
        }
        if constexpr (std::is_void_v<T>) {
            this->result().take();
            return true;
        } else {
            return this->result().take();
        }
    }
};

/// A callable that gives the body of a scope, which it may look at and reschedule.
template <class F>
using scoped_result_t = typename coro_result<std::invoke_result_t<F&, timeout_scope&>>::type;
template <class F>
concept scoped_body = requires { typename scoped_result_t<std::decay_t<F>>; };

// The callable stays in the frame for as long as its coroutine runs.
template <class F>
coro<scoped_result_t<F>> run_with_timeout(time_limit limit, F body) {
    timeout_scope scope{limit};
    co_return co_await timeout_awaiter<scoped_result_t<F>, timeout_scope&>{
        scope, std::invoke(body, scope)};
}
template <class F>
coro<moved_on<scoped_result_t<F>>> run_and_move_on(time_limit limit, F body) {
    timeout_scope scope{limit};
    co_return co_await move_on_awaiter<scoped_result_t<F>>{scope, std::invoke(body, scope)};
}

template <class T>
coro<moved_on<T>> await_and_move_on(time_limit limit, coro<T> body) {
    timeout_scope scope{limit};
    co_return co_await move_on_awaiter<T>{scope, std::move(body)};
}

/// Whether what wait_for was given begins under a limit that is over: a coro does not.
enum class start_rule : bool { always, in_time };
template <class T>
constexpr start_rule start_rule_of(const coro<T>& /*body*/) noexcept {
    return start_rule::in_time;
}
template <class A>
constexpr start_rule start_rule_of(const A& /*operation*/) noexcept {
    return start_rule::always;
}

template <class T>
coro<T> await_for(coro<T> body, time_limit limit, start_rule rule) {
    WEFT_CHECK(body.valid(), "wait_for was given a coro that was awaited or moved from");
    if (rule == start_rule::in_time && resolve(limit).has_passed) throw timeout_error();
    co_return co_await timeout_awaiter<T, timeout_scope>{limit, std::move(body)};
}

}  // namespace detail

/// Runs `body` in the current task; if it has not ended after `limit`, which counts from this call,
/// cancels it, waits until it really ended, and throws timeout_error. A value or an exception of
/// the body's own, even one thrown while it was being stopped, comes first; so does a cancellation
/// that somebody else asked for. A body that never suspends is never timed out. A limit of zero
/// expires at the first suspension. To be awaited where it is called; wait_for gives a coro.
template <class T>
[[nodiscard]] detail::timeout_awaiter<T, timeout_scope> with_timeout(
    time_limit limit, coro<T> body WEFT_LIFETIMEBOUND) {
    return detail::timeout_awaiter<T, timeout_scope>{limit, std::move(body)};
}
/// The same for anything else that can be awaited; for what becomes of that, see wait_for.
template <awaitable A>
[[nodiscard]] auto with_timeout(time_limit limit, A&& body) {
    return with_timeout(limit, detail::as_coro(std::forward<A>(body)));
}
/// The same for a scope of the caller's, which may look at it afterwards. A scope is for one await:
/// usage_error.
template <class T>
[[nodiscard]] detail::timeout_awaiter<T, timeout_scope&> with_timeout(
    timeout_scope& scope, coro<T> body WEFT_LIFETIMEBOUND) {
    return detail::timeout_awaiter<T, timeout_scope&>{scope, std::move(body)};
}
/// The same for `body(scope)`, which returns a coroutine: that may move the limit. A coro, whose
/// limit counts from its start; it keeps the callable.
template <detail::scoped_body F>
[[nodiscard]] auto with_timeout(time_limit limit, F&& body) {
    return detail::run_with_timeout<std::decay_t<F>>(limit, std::forward<F>(body));
}

/// with_timeout with a point in time of the monotonic clock.
template <class Body>
[[nodiscard]] auto with_timeout_at(std::chrono::steady_clock::time_point deadline, Body&& body) {
    return with_timeout(time_limit{deadline}, std::forward<Body>(body));
}

/// asyncio's wait_for, as a coro, which create_task, gather and their like take as well: awaits
/// `operation` in the task that awaits this; throws timeout_error, once it has really ended, if
/// that takes longer than `limit`, which counts from the start. Who wins is with_timeout's rule. If
/// the limit is over at once, a coro is destroyed unstarted, a task that is done gives its result,
/// and anything that would have to wait is cancelled and awaited.
///
/// What is passed by value is kept here; of an lvalue task, or of anything that can be copied, a
/// copy is. Any other lvalue stays where it is and has to outlive the await. A task is cancelled by
/// the expiry, like a coro: shield it to prevent that. The value of a task that was moved in is
/// moved out if nobody else holds that, of any other it is copied.
template <awaitable A>
[[nodiscard]] coro<awaited_value_t<A>> wait_for(A&& operation, time_limit limit) {
    const detail::start_rule rule = detail::start_rule_of(operation);
    return detail::await_for(detail::as_coro(std::forward<A>(operation)), limit, rule);
}

/// A limit whose expiry is no error: gives std::optional<T>, empty if the limit has stopped the
/// body; for void, whether the body ended in time. All else is with_timeout's: exceptions, a
/// timeout_error of the body's own among them, and other cancellations pass. A coro, whose limit
/// counts from its start; `body` is anything that can be awaited, or a callable that is given the
/// scope.
template <awaitable A>
[[nodiscard]] auto move_on_after(time_limit limit, A&& body) {
    return detail::await_and_move_on(limit, detail::as_coro(std::forward<A>(body)));
}
template <detail::scoped_body F>
[[nodiscard]] auto move_on_after(time_limit limit, F&& body) {
    return detail::run_and_move_on<std::decay_t<F>>(limit, std::forward<F>(body));
}

/// move_on_after with a point in time of the monotonic clock.
template <class Body>
[[nodiscard]] auto move_on_at(std::chrono::steady_clock::time_point deadline, Body&& body) {
    return move_on_after(time_limit{deadline}, std::forward<Body>(body));
}

}  // namespace weft
