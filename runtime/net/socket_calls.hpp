// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The system calls of the net room, with their platform differences: descriptors come non-blocking
// and close-on-exec, sends never raise SIGPIPE, and every failure is a value. The one place of this
// room that turns errno into an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <system_error>

#include "weft/base/unique_fd.hpp"
#include "weft/net/endpoint.hpp"

namespace weft::detail {

/// A byte count, or what errno said. EINTR is retried inside.
struct transfer_result {
    std::size_t count = 0;
    int error = 0;
    /// Nothing now: wait for an event.
    [[nodiscard]] bool would_block() const noexcept;
};

[[nodiscard]] std::error_code system_error_code(int error) noexcept;

[[nodiscard]] std::expected<unique_fd, std::error_code> open_stream_socket(
    net::endpoint::family family) noexcept;
/// 0, or errno: EINPROGRESS when the answer comes with an event.
[[nodiscard]] int start_connect(int fd, const net::endpoint& peer) noexcept;
/// Takes SO_ERROR; an empty code when the connection stands, EINPROGRESS while it does not yet.
[[nodiscard]] std::error_code connect_outcome(int fd) noexcept;
/// The next connection, or errno.
struct accept_result {
    unique_fd fd;
    int error = 0;
};
[[nodiscard]] accept_result accept_socket(int fd) noexcept;

[[nodiscard]] transfer_result receive(int fd, std::span<std::byte> buffer) noexcept;
[[nodiscard]] transfer_result send(int fd, std::span<const std::byte> buffer) noexcept;

/// Throws std::system_error; `fd` stays the caller's.
void check_adoptable(int fd, bool listening);

/// What a short read proves. On plain TCP: that the kernel has no more now. Elsewhere nothing: a
/// Unix socket ends a read where the next record has other credentials or carries descriptors, and
/// TLS in the kernel where a record ends.
enum class stream_kind : std::uint8_t { plain_tcp, other };
/// `other` when in doubt. Connections that a listener accepts are of its kind.
[[nodiscard]] stream_kind kind_of(int fd) noexcept;

void set_option(int fd, int level, int option, const void* value, std::size_t size);
void bind_and_listen(int fd, const net::endpoint& local, int backlog);
[[nodiscard]] net::endpoint local_endpoint_of(int fd);
[[nodiscard]] net::endpoint remote_endpoint_of(int fd);

}  // namespace weft::detail
