// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "net/stream_transfer.hpp"

#include <type_traits>

#include "net/readiness_wait.hpp"
#include "net/socket_calls.hpp"
#include "weft/net/error.hpp"
#include "weft/time/sleep.hpp"

namespace weft::detail {

namespace {

template <class Result>
io_result<Result> success([[maybe_unused]] std::size_t count) {
    if constexpr (std::is_void_v<Result>) {
        return {};
    } else {
        return count;
    }
}

template <class Result>
io_result<Result> failure(std::error_code error) {
    return std::unexpected(io_failure(error));
}

template <class Result>
io_result<Result> early_end(std::size_t done, std::size_t wanted) {
    if constexpr (std::is_void_v<Result>) {
        return std::unexpected(
            io_failure(net::make_error_code(net::net_errc::end_of_stream), done, wanted));
    } else {
        return std::size_t{0};
    }
}

constexpr auto closed_meanwhile = std::errc::operation_canceled;

}  // namespace

template <class Result>
coro<io_result<Result>> read_stream(socket_state* socket, std::span<std::byte> buffer) {
    direction_hold hold(socket, io_direction::read);
    if (hold.refusal()) co_return failure<Result>(hold.refusal());
    if (buffer.empty()) co_return success<Result>(0);
    direction_memory& memory = socket->memory(io_direction::read);
    std::size_t done = 0;
    for (;;) {
        if (memory.owes_a_turn()) co_await yield();
        if (socket->is_closed()) co_return failure<Result>(std::make_error_code(closed_meanwhile));
        if (!memory.drained) {
            const std::span<std::byte> rest = buffer.subspan(done);
            const transfer_result got = receive(socket->fd(), rest);
            if (got.error == 0 && got.count == 0) co_return early_end<Result>(done, buffer.size());
            if (got.error != 0 && !got.would_block()) {
                co_return failure<Result>(system_error_code(got.error));
            }
            done += got.count;
            memory.drained = got.count < rest.size() && socket->may_infer_drained();
            if (got.error == 0) ++memory.immediate;
            const bool complete = std::is_void_v<Result> ? done == buffer.size() : done > 0;
            if (complete) co_return success<Result>(done);
            if (got.error == 0) continue;
        }
        // Cleared first: whoever reads after a cancelled wait asks the kernel again.
        memory.drained = false;
        memory.immediate = 0;
        const std::error_code error =
            co_await readiness_wait(*socket, io_direction::read, trace::suspend_reason::io_read);
        if (error) co_return failure<Result>(error);
    }
}

template <class Result>
coro<io_result<Result>> write_stream(socket_state* socket, std::span<const std::byte> buffer) {
    direction_hold hold(socket, io_direction::write);
    if (hold.refusal()) co_return failure<Result>(hold.refusal());
    if (buffer.empty()) co_return success<Result>(0);
    direction_memory& memory = socket->memory(io_direction::write);
    std::size_t done = 0;
    for (;;) {
        if (memory.owes_a_turn()) co_await yield();
        if (socket->is_closed()) co_return failure<Result>(std::make_error_code(closed_meanwhile));
        const transfer_result put = send(socket->fd(), buffer.subspan(done));
        if (put.error == 0) {
            done += put.count;
            ++memory.immediate;
            const bool complete = std::is_void_v<Result> ? done == buffer.size() : done > 0;
            if (complete) co_return success<Result>(done);
            continue;
        }
        if (!put.would_block()) co_return failure<Result>(system_error_code(put.error));
        memory.immediate = 0;
        const std::error_code error =
            co_await readiness_wait(*socket, io_direction::write, trace::suspend_reason::io_write);
        if (error) co_return failure<Result>(error);
    }
}

template coro<io_result<std::size_t>> read_stream(socket_state*, std::span<std::byte>);
template coro<io_result<void>> read_stream(socket_state*, std::span<std::byte>);
template coro<io_result<std::size_t>> write_stream(socket_state*, std::span<const std::byte>);
template coro<io_result<void>> write_stream(socket_state*, std::span<const std::byte>);

}  // namespace weft::detail
