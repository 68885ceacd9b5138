// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_stream: one connection, as bytes in both directions.
//
// One reader and one writer at a time, from any two tasks on any workers; a second reader (writer)
// gets device_or_resource_busy at once. close() may come from any task at any time: an operation
// that waits then ends with operation_canceled, one that starts later gets bad_file_descriptor. The
// descriptor itself is closed when the operations in flight have ended, so that its number cannot
// be reused under them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "weft/net/endpoint.hpp"
#include "weft/net/error.hpp"
#include "weft/net/io_operation.hpp"

namespace weft {

namespace detail {

class socket_state;

/// The stream's or listener's hold on its socket: closes it in the end. One owner.
class socket_owner {
public:
    socket_owner() noexcept = default;
    explicit socket_owner(socket_state* state) noexcept : state_(state) {}
    socket_owner(socket_owner&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    /// By value: what was held before is closed here, not when the source dies.
    socket_owner& operator=(socket_owner other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~socket_owner();

    [[nodiscard]] socket_state* get() const noexcept { return state_; }

private:
    socket_state* state_ = nullptr;
};

}  // namespace detail

namespace net {

enum class shutdown_how : std::uint8_t { read, write, both };

class tcp_stream {
public:
    /// Not connected: every operation gets bad_file_descriptor.
    tcp_stream() noexcept = default;
    tcp_stream(tcp_stream&&) noexcept = default;
    tcp_stream& operator=(tcp_stream&&) noexcept = default;
    ~tcp_stream() = default;

    /// Completes when the peer accepted. Cancelling it closes the socket. Errors: connect(2).
    [[nodiscard]] static io_operation<tcp_stream> connect(endpoint peer);

    /// Takes ownership of a connected stream socket, which becomes non-blocking and close-on-exec.
    /// Throws std::system_error when it is anything else, std::bad_alloc without memory; then the
    /// descriptor stays the caller's.
    [[nodiscard]] static tcp_stream adopt(int fd);

    /// Completes when at least one byte was read, with how many; 0 at the end of the stream, and at
    /// once for an empty buffer. Cancel-safe: a cancelled read took nothing.
    [[nodiscard]] io_operation<std::size_t> read_some(std::span<std::byte> buffer);

    /// Completes when at least one byte was taken by the kernel, with how many; 0 only for an empty
    /// buffer. Cancel-safe: a cancelled write wrote nothing. Errors: send(2); never SIGPIPE.
    [[nodiscard]] io_operation<std::size_t> write_some(std::span<const std::byte> buffer);

    /// Completes when the buffer is full; throws incomplete_read_error when the stream ends first.
    /// Not cancel-safe: bytes that came before a cancellation are in the buffer, uncounted.
    [[nodiscard]] io_operation<void> read_exactly(std::span<std::byte> buffer);

    /// Completes when the kernel took everything. Not cancel-safe: after a cancellation or an error
    /// an unknown part was written, and the stream is best closed.
    [[nodiscard]] io_operation<void> write_all(std::span<const std::byte> buffer);

    /// Ends one direction. `write` sends what is queued, then the end of the stream. Throws.
    void shutdown(shutdown_how how);
    /// Any task, any number of times; wakes the operations in flight. The destructor closes too.
    void close() noexcept;
    [[nodiscard]] bool is_open() const noexcept;

    // Options throw std::system_error.
    void set_no_delay(bool on);
    void set_keep_alive(bool on);
    void set_send_buffer(int bytes);
    void set_receive_buffer(int bytes);
    /// Without a value: close() returns at once and the kernel delivers. Zero: close() resets.
    void set_linger(std::optional<std::chrono::seconds> time);

    [[nodiscard]] endpoint local_endpoint() const;
    [[nodiscard]] endpoint remote_endpoint() const;
    /// For what this class lacks; stays owned by the stream. -1 once closed.
    [[nodiscard]] int native_handle() const noexcept;
    /// Gives the descriptor, still non-blocking, to the caller; the stream is closed afterwards.
    /// Throws device_or_resource_busy while an operation is in flight.
    [[nodiscard]] int release();

private:
    friend class tcp_listener;
    explicit tcp_stream(detail::socket_owner socket) noexcept : socket_(std::move(socket)) {}
    static coro<detail::io_result<tcp_stream>> connect_body(endpoint peer);

    detail::socket_owner socket_;
};

}  // namespace net

}  // namespace weft
