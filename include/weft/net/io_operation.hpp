// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// io_operation<T>: what a network call returns. Awaited, it gives T or throws std::system_error;
// through as_expected it gives std::expected<T, std::error_code> and throws for no I/O failure.
// Both throw `cancelled` when the task is cancelled while the operation waits.
#pragma once

#include <coroutine>
#include <expected>
#include <system_error>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/task/coro.hpp"

namespace weft {

namespace detail {

/// Why an operation failed, with the counts of one that stopped half-way.
struct io_failure {
    explicit io_failure(std::error_code error) noexcept : code(error) {}
    io_failure(std::error_code error, std::size_t done, std::size_t wanted) noexcept
        : code(error), partial(done), expected(wanted) {}
    std::error_code code;
    std::size_t partial = 0;
    std::size_t expected = 0;
};

template <class T>
using io_result = std::expected<T, io_failure>;

/// Throws incomplete_read_error or std::system_error.
[[noreturn]] void throw_io_failure(const io_failure& failure);

template <class T>
class expected_operation;

}  // namespace detail

namespace net {

/// Lazy: nothing happens until it is awaited, once, in the task that shall wait; a second time ends
/// the process with a message. The stream or listener that made it must be alive then; closing it
/// while the operation waits is allowed. The caller's buffer must live until the await ends; it is
/// not touched afterwards.
template <class T = void>
class [[nodiscard("an operation does nothing until it is awaited")]] io_operation {
public:
    using value_type = T;

    explicit io_operation(coro<detail::io_result<T>> body) noexcept : body_(std::move(body)) {}

    bool await_ready() const noexcept {
        WEFT_CHECK(body_.valid(), "an io_operation was awaited after it was moved from");
        return false;
    }
    template <detail::weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        detail::runnable& self = caller.promise().in_place();
        // Who awaits is noted in the body itself, and never taken back.
        WEFT_CHECK(!detail::coro_access::promise(body_).is_entered(),
                   "an io_operation is awaited once");
        detail::coro_access::promise(body_).enter(self, &caller.promise());
        return detail::transfer(self, detail::coro_access::handle(body_));
    }
    T await_resume() {
        detail::io_result<T> result = detail::coro_access::promise(body_).result.take();
        if (!result) detail::throw_io_failure(result.error());
        if constexpr (!std::is_void_v<T>) return std::move(*result);
    }

private:
    friend detail::expected_operation<T>;
    coro<detail::io_result<T>> body_;
};

/// The operation as a coroutine, for create_task, gather and their like.
template <class T>
[[nodiscard]] coro<T> to_coro(io_operation<T> operation) {
    co_return co_await std::move(operation);
}

}  // namespace net

namespace detail {

template <class T>
class [[nodiscard("an operation does nothing until it is awaited")]] expected_operation {
public:
    explicit expected_operation(net::io_operation<T> operation) noexcept
        : operation_(std::move(operation)) {}

    bool await_ready() const noexcept { return operation_.await_ready(); }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return operation_.await_suspend(caller);
    }
    std::expected<T, std::error_code> await_resume() {
        io_result<T> result = coro_access::promise(operation_.body_).result.take();
        if (!result) return std::unexpected(result.error().code);
        if constexpr (std::is_void_v<T>) {
            return {};
        } else {
            return std::move(*result);
        }
    }

private:
    net::io_operation<T> operation_;
};

}  // namespace detail

/// The same operation with its failure as a value. An early end of a read_exactly is
/// net::net_errc::end_of_stream.
template <class T>
[[nodiscard]] detail::expected_operation<T> as_expected(net::io_operation<T> operation) noexcept {
    return detail::expected_operation<T>(std::move(operation));
}

}  // namespace weft
