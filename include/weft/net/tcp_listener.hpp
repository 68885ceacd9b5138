// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_listener: accepts connections on one address.
#pragma once

#include "weft/net/tcp_stream.hpp"

namespace weft::net {

struct listen_options {
    int backlog = 1024;
    /// Several listeners may share the address; the kernel spreads the connections.
    bool reuse_port = false;
    /// For IPv6: refuse IPv4 peers (which would appear as ::ffff:a.b.c.d).
    bool only_v6 = false;
};

class tcp_listener {
public:
    tcp_listener(tcp_listener&&) noexcept = default;
    tcp_listener& operator=(tcp_listener&&) noexcept = default;
    ~tcp_listener() = default;

    /// Binds and listens, with SO_REUSEADDR. Port 0 takes a free one: see local_endpoint(). Throws
    /// std::system_error.
    [[nodiscard]] static tcp_listener bind(endpoint local, listen_options options = {});
    /// Takes ownership of a listening stream socket, as tcp_stream::adopt does.
    [[nodiscard]] static tcp_listener adopt(int fd);

    /// Completes with the next connection. Connections that died in the queue are skipped. When the
    /// process or the system has no descriptors or memory left it waits 0.1 s, doubling to 1 s, and
    /// tries again: the queue of the kernel keeps the connections. Cancel-safe: a cancelled accept
    /// took no connection. One at a time; close() ends it with operation_canceled.
    [[nodiscard]] io_operation<tcp_stream> accept();

    [[nodiscard]] endpoint local_endpoint() const;
    /// Any task, any number of times. Connections that were accepted live on.
    void close() noexcept;
    [[nodiscard]] bool is_open() const noexcept;
    [[nodiscard]] int native_handle() const noexcept;

private:
    explicit tcp_listener(detail::socket_owner socket) noexcept : socket_(std::move(socket)) {}
    static coro<detail::io_result<tcp_stream>> accept_body(detail::socket_state* socket);

    detail::socket_owner socket_;
};

}  // namespace weft::net
