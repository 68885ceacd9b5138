// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/net/tcp_listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "net/readiness_wait.hpp"
#include "net/socket_calls.hpp"
#include "net/socket_state.hpp"
#include "weft/error.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

namespace weft::net {

using detail::call_hold;
using detail::io_direction;
using detail::io_failure;
using detail::io_result;
using namespace std::chrono_literals;

namespace {

enum class accept_verdict : std::uint8_t { wait, skip, back_off, fail };

accept_verdict judge(int error) noexcept {
    switch (error) {
        case EAGAIN:
#if EAGAIN != EWOULDBLOCK
        case EWOULDBLOCK:
#endif
            return accept_verdict::wait;
        // The connection died in the queue, or a filter refused it. Fact: Linux passes errors of
        // the new socket's network on from accept, and says to treat them like EAGAIN.
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ETIMEDOUT:
#if defined(ENONET)
        case ENONET:
#endif
            return accept_verdict::skip;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return accept_verdict::back_off;
        default:
            return accept_verdict::fail;
    }
}

/// Ends when the listener is closed, or when events cannot be had. A listening socket never becomes
/// writable, so only a close wakes the writing direction.
coro<> until_closed(detail::socket_state* socket) {
    while (!socket->is_closed()) {
        const std::error_code error = co_await detail::readiness_wait(
            *socket, io_direction::write, trace::suspend_reason::io_accept);
        if (error) co_return;
    }
}

/// Waits before the next try: an edge-triggered listener makes no second event for connections
/// that are queued already.
coro<> pause_accepting(detail::socket_state* socket, std::chrono::milliseconds delay) {
    const auto until = std::chrono::steady_clock::now() + delay;
    try {
        co_await with_timeout(delay, until_closed(socket));
    } catch (const timeout_error&) {
        co_return;
    }
    if (!socket->is_closed()) co_await sleep_until(until);
}

/// Failures in a row that mean nothing for the listener; then it waits, lest it spin.
constexpr int skip_limit = 16;

}  // namespace

tcp_listener tcp_listener::bind(endpoint local, listen_options options) {
    auto fd = detail::open_stream_socket(local.address_family());
    if (!fd) throw std::system_error(fd.error(), "socket");
    const int on = 1;
    detail::set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (options.reuse_port) {
        detail::set_option(fd->get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    }
    if (local.is_v6()) {
        const int only = options.only_v6 ? 1 : 0;
        detail::set_option(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    }
    detail::bind_and_listen(fd->get(), local, options.backlog);
    return tcp_listener{detail::socket_owner(new detail::socket_state(std::move(*fd)))};
}

tcp_listener tcp_listener::adopt(int fd) {
    return tcp_listener{detail::socket_owner(detail::socket_state::adopt(fd, true))};
}

io_operation<tcp_stream> tcp_listener::accept() {
    return io_operation<tcp_stream>(accept_body(socket_.get()));
}

coro<io_result<tcp_stream>> tcp_listener::accept_body(detail::socket_state* socket) {
    detail::direction_hold hold(socket, io_direction::read);
    if (hold.refusal()) co_return std::unexpected(io_failure(hold.refusal()));
    constexpr auto longest_pause = 1000ms;
    auto pause = 100ms;
    int skipped = 0;
    detail::direction_memory& memory = socket->memory(io_direction::read);
    for (;;) {
        if (memory.owes_a_turn()) co_await yield();
        std::error_code error;
        if (socket->is_closed()) error = std::make_error_code(std::errc::operation_canceled);
        if (error) co_return std::unexpected(io_failure(error));
        detail::accept_result accepted = detail::accept_socket(socket->fd());
        if (accepted.error == 0) {
            ++memory.immediate;
            co_return tcp_stream{detail::socket_owner(
                new detail::socket_state(std::move(accepted.fd), socket->kind()))};
        }
        accept_verdict verdict = judge(accepted.error);
        if (verdict == accept_verdict::skip && ++skipped >= skip_limit) {
            skipped = 0;
            verdict = accept_verdict::back_off;
        }
        if (verdict == accept_verdict::fail) error = detail::system_error_code(accepted.error);
        if (verdict == accept_verdict::wait) {
            memory.immediate = 0;
            error = co_await detail::readiness_wait(*socket, io_direction::read,
                                                    trace::suspend_reason::io_accept);
        }
        if (verdict == accept_verdict::back_off) {
            co_await pause_accepting(socket, pause);
            pause = std::min(pause * 2, std::chrono::milliseconds{longest_pause});
        }
        if (error) co_return std::unexpected(io_failure(error));
    }
}

endpoint tcp_listener::local_endpoint() const {
    call_hold hold(socket_.get());
    return detail::local_endpoint_of(hold.fd());
}

void tcp_listener::close() noexcept {
    if (socket_.get() != nullptr) socket_.get()->close();
}

bool tcp_listener::is_open() const noexcept {
    return socket_.get() != nullptr && !socket_.get()->is_closed();
}

int tcp_listener::native_handle() const noexcept { return is_open() ? socket_.get()->fd() : -1; }

}  // namespace weft::net
