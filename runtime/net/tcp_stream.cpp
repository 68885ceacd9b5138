// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/net/tcp_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>

#include "net/readiness_wait.hpp"
#include "net/socket_calls.hpp"
#include "net/socket_state.hpp"
#include "net/stream_transfer.hpp"

namespace weft::net {

using detail::call_hold;
using detail::io_direction;
using detail::io_failure;
using detail::io_result;

namespace {

void set_flag(detail::socket_state* socket, int level, int option, bool on) {
    const int value = on ? 1 : 0;
    call_hold hold(socket);
    detail::set_option(hold.fd(), level, option, &value, sizeof value);
}

}  // namespace

io_operation<tcp_stream> tcp_stream::connect(endpoint peer) {
    return io_operation<tcp_stream>(connect_body(peer));
}

coro<io_result<tcp_stream>> tcp_stream::connect_body(endpoint peer) {
    auto fd = detail::open_stream_socket(peer.address_family());
    if (!fd) co_return std::unexpected(io_failure(fd.error()));
    tcp_stream stream{detail::socket_owner(new detail::socket_state(std::move(*fd)))};
    detail::socket_state* const socket = stream.socket_.get();
    detail::direction_hold hold(socket, io_direction::write);
    if (const int error = detail::start_connect(socket->fd(), peer)) {
        std::error_code outcome = detail::system_error_code(error);
        while (outcome == std::errc::operation_in_progress) {
            outcome = co_await detail::readiness_wait(*socket, io_direction::write,
                                                      trace::suspend_reason::io_connect);
            if (!outcome) outcome = detail::connect_outcome(socket->fd());
        }
        if (outcome) co_return std::unexpected(io_failure(outcome));
    }
    co_return std::move(stream);
}

tcp_stream tcp_stream::adopt(int fd) {
    return tcp_stream{detail::socket_owner(detail::socket_state::adopt(fd, false))};
}

io_operation<std::size_t> tcp_stream::read_some(std::span<std::byte> buffer) {
    return io_operation<std::size_t>(detail::read_stream<std::size_t>(socket_.get(), buffer));
}

io_operation<std::size_t> tcp_stream::write_some(std::span<const std::byte> buffer) {
    return io_operation<std::size_t>(detail::write_stream<std::size_t>(socket_.get(), buffer));
}

io_operation<void> tcp_stream::read_exactly(std::span<std::byte> buffer) {
    return io_operation<void>(detail::read_stream<void>(socket_.get(), buffer));
}

io_operation<void> tcp_stream::write_all(std::span<const std::byte> buffer) {
    return io_operation<void>(detail::write_stream<void>(socket_.get(), buffer));
}

void tcp_stream::shutdown(shutdown_how how) {
    int which = SHUT_RDWR;
    if (how == shutdown_how::read) which = SHUT_RD;
    if (how == shutdown_how::write) which = SHUT_WR;
    call_hold hold(socket_.get());
    if (::shutdown(hold.fd(), which) < 0) {
        throw std::system_error(detail::system_error_code(errno), "shutdown");
    }
}

void tcp_stream::close() noexcept {
    if (socket_.get() != nullptr) socket_.get()->close();
}

bool tcp_stream::is_open() const noexcept {
    return socket_.get() != nullptr && !socket_.get()->is_closed();
}

void tcp_stream::set_no_delay(bool on) { set_flag(socket_.get(), IPPROTO_TCP, TCP_NODELAY, on); }

void tcp_stream::set_keep_alive(bool on) { set_flag(socket_.get(), SOL_SOCKET, SO_KEEPALIVE, on); }

void tcp_stream::set_send_buffer(int bytes) {
    call_hold hold(socket_.get());
    detail::set_option(hold.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void tcp_stream::set_receive_buffer(int bytes) {
    call_hold hold(socket_.get());
    detail::set_option(hold.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void tcp_stream::set_linger(std::optional<std::chrono::seconds> time) {
    ::linger value{};
    value.l_onoff = time ? 1 : 0;
    const auto seconds = time.value_or(std::chrono::seconds{0}).count();
    value.l_linger = static_cast<int>(std::clamp<std::int64_t>(seconds, 0, INT_MAX));
    call_hold hold(socket_.get());
    detail::set_option(hold.fd(), SOL_SOCKET, SO_LINGER, &value, sizeof value);
}

endpoint tcp_stream::local_endpoint() const {
    call_hold hold(socket_.get());
    return detail::local_endpoint_of(hold.fd());
}

endpoint tcp_stream::remote_endpoint() const {
    call_hold hold(socket_.get());
    return detail::remote_endpoint_of(hold.fd());
}

int tcp_stream::native_handle() const noexcept { return is_open() ? socket_.get()->fd() : -1; }

int tcp_stream::release() {
    if (!is_open()) {
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "weft: the socket is closed");
    }
    const int fd = socket_.get()->release();
    if (fd >= 0) return fd;
    throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                            "weft: release while an operation is in flight");
}

}  // namespace weft::net
