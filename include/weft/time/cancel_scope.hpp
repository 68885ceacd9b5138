// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// cancel_scope: a part of a task that can be cancelled on its own, and stays so. Cancelling a task
// is a request that is delivered once; in a cancelled scope every wait is cancelled, until the
// scope is left (the level-triggered form of Trio and AnyIO).
#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/task/create_task.hpp"
#include "weft/time/time_limit.hpp"

namespace weft {

namespace detail {

class scope_state;

/// The part of running a body in a scope that does not depend on its value.
class scope_run {
public:
    explicit scope_run(std::shared_ptr<scope_state> state) noexcept : state_(std::move(state)) {}
    void enter(runnable& self);
    /// True: the body ended because of this scope, and nothing around it is cancelled.
    [[nodiscard]] bool leave(bool ended_cancelled) noexcept;

private:
    std::shared_ptr<scope_state> state_;
};

template <class T>
class scope_awaiter {
public:
    scope_awaiter(std::shared_ptr<scope_state> state, coro<T> body) noexcept
        : scope_(std::move(state)), body_(std::move(body)) {}
    bool await_ready() const noexcept {
        WEFT_CHECK(body_.valid(), "a cancel_scope was given a coro that was awaited or moved from");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) {
        runnable& self = caller.promise().current();
        scope_.enter(self);
        coro_access::promise(body_).enter(self, &caller.promise());
        return transfer(self, coro_access::handle(body_));
    }
    std::conditional_t<std::is_void_v<T>, bool, std::optional<T>> await_resume() {
        auto& result = coro_access::promise(body_).result;
        if (scope_.leave(result.has_error() && is_cancellation(result.error()))) {
            coro_access::discard(body_);
            return {};
        }
        if constexpr (std::is_void_v<T>) {
            result.take();
            return true;
        } else {
            return result.take();
        }
    }

private:
    scope_run scope_;
    coro<T> body_;
};

}  // namespace detail

/// A handle: copies are the same scope, and may be kept longer than it lasts. `co_await
/// scope.run(body)` runs the body in the current task.
///
/// Once cancelled, by cancel() or because its deadline has passed, every suspension of the body
/// throws `cancelled`, however often the body catches it, and whether or not an awaited task
/// declines; awaits that need not suspend go on. The children of a when_all in it likewise. A task
/// that it awaits is asked to stop once, as by any cancellation; tasks that it merely created are
/// not concerned. So clean-up that has to wait belongs outside, or in a task of its own that is
/// shielded.
///
/// Scopes nest: a cancelled one cancels what is inside of it. The cancellation is caught by the
/// outermost cancelled scope; a cancellation of the task itself is caught by none.
class cancel_scope {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Without a deadline. Throws std::bad_alloc.
    cancel_scope() : cancel_scope(std::nullopt) {}
    /// A duration counts from here. Throws std::bad_alloc.
    explicit cancel_scope(time_limit limit);

    /// Gives the body's value as std::optional<T>, for void true; std::nullopt, or false, if the
    /// scope was cancelled and that ended the body. Rethrows what else the body threw, also a
    /// cancellation from elsewhere. A body that ends otherwise although the scope is cancelled has
    /// ended: its value or error counts. A scope runs once: usage_error. Throws std::bad_alloc
    /// before the body begins.
    template <class T>
    [[nodiscard]] detail::scope_awaiter<T> run(coro<T> body) const {
        claim();
        return detail::scope_awaiter<T>{state_, std::move(body)};
    }
    /// The same for `callable(args...)`, moved into a frame.
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    [[nodiscard]] auto run(F&& callable, Args&&... args) const {
        return run(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
            std::forward<F>(callable), std::forward<Args>(args)...));
    }

    /// Cancels it, now or once it runs. False if it is cancelled or over already. Any thread.
    bool cancel(std::string_view reason = {},
                std::source_location where = std::source_location::current()) const;
    [[nodiscard]] bool cancel_called() const;
    /// Whether run() ended because of it.
    [[nodiscard]] bool cancelled_caught() const;
    /// time_point::max(): none.
    [[nodiscard]] time_point deadline() const;
    /// Before it runs anywhere, while it runs by the body's own task: usage_error else. False if
    /// it is cancelled or over already.
    bool set_deadline(time_limit limit) const;

private:
    void claim() const;

    std::shared_ptr<detail::scope_state> state_;
};

}  // namespace weft
