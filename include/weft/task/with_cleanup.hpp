// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// with_cleanup: what Python writes as `try: ... finally: await clean_up()`. C++ can await neither
// in a catch block nor in a destructor.
#pragma once

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/task/awaitable.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/masked_run.hpp"

namespace weft {

/// Trivially destructible members only, as in task_options.
struct cleanup_options {
    /// Whether the clean-up runs to its end whatever is asked of the task meanwhile.
    bool shielded = false;
};

namespace detail {

template <class C>
concept cleanup_with_error = requires(C& cleanup, std::exception_ptr error) {
    { cleanup(error) } -> std::same_as<coro<>>;
};
template <class C>
concept cleanup_callable = cleanup_with_error<C> || requires(C& cleanup) {
    { cleanup() } -> std::same_as<coro<>>;
};

template <class C>
coro<> call_cleanup(C& cleanup, const std::exception_ptr& error) {
    if constexpr (cleanup_with_error<C>)
        return cleanup(error);
    else
        return cleanup();
}

template <class C>
coro<> clean_up(C& cleanup, const std::exception_ptr& error, cleanup_options options) {
    coro<> cleaning = call_cleanup(cleanup, error);
    if (options.shielded)
        co_await masked_run(std::move(cleaning));
    else
        co_await std::move(cleaning);
}

template <class T, class C>
coro<T> run_with_cleanup(coro<T> body, C cleanup, cleanup_options options) {
    std::exception_ptr error;
    if constexpr (std::is_void_v<T>) {
        try {
            co_await std::move(body);
        } catch (...) {
            error = std::current_exception();
        }
        co_await clean_up(cleanup, error, options);
        if (error) std::rethrow_exception(error);
    } else {
        std::optional<T> value;
        try {
            value.emplace(co_await std::move(body));
        } catch (...) {
            error = std::current_exception();
        }
        co_await clean_up(cleanup, error, options);
        if (error) std::rethrow_exception(error);
        co_return std::move(*value);
    }
}

}  // namespace detail

/// Runs `body`; when it has ended, whether by a value, an error or a cancellation, calls
/// `cleanup()`, or `cleanup(error)` with what the body threw (null for a value), and runs the coro
/// that this returns. Then gives the value, or rethrows. What the clean-up throws is thrown
/// instead, and the body's value or error is lost: a clean-up that wants to keep that error takes
/// it as its argument.
///
/// `body` is anything that can be awaited, or a callable that gives a coro. Both callables are
/// copied or moved into the coro that this is, so that captures live as long as they must; what
/// they refer to has to outlive it. The clean-up is run if and only if the body was begun: a task
/// that is cancelled before its first step does neither.
///
/// The task may be asked to stop once more while it cleans up: that interrupts the clean-up, at its
/// next suspension. So does a request that came at the end of the body and that the body did not
/// feel. With `{.shielded = true}` no request reaches the clean-up: it stays undelivered, as if the
/// task had been computing, value and error of the body are not lost, and the next suspension
/// throws `cancelled`. Nothing can stop a shielded clean-up but a time limit inside of it.
template <class Body, class Cleanup>
    requires(awaitable<Body> || detail::coroutine_callable<Body>)
[[nodiscard]] auto with_cleanup(Body&& body, Cleanup&& cleanup, cleanup_options options = {}) {
    using callable = std::decay_t<Cleanup>;
    static_assert(detail::cleanup_callable<callable>,
                  "a clean-up is a callable that gives coro<>: [&] { return close(connection); }, "
                  "or one that takes the std::exception_ptr of the body");
    if constexpr (awaitable<Body>) {
        return detail::run_with_cleanup<awaited_value_t<Body>, callable>(
            detail::as_coro(std::forward<Body>(body)), std::forward<Cleanup>(cleanup), options);
    } else {
        using value = detail::coro_result_of<Body>;
        return detail::run_with_cleanup<value, callable>(
            detail::invoke_in_frame<std::decay_t<Body>>(std::forward<Body>(body)),
            std::forward<Cleanup>(cleanup), options);
    }
}

}  // namespace weft
