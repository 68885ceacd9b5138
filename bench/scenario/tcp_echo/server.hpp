// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The echo server on weft: a task for every connection.
#pragma once

#include <weft/net/tcp_listener.hpp>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <system_error>
#include <utility>

namespace bench {

inline weft::coro<> echo(weft::net::tcp_stream peer) {
    std::array<std::byte, 4096> buffer;
    try {
        peer.set_no_delay(true);
        for (;;) {
            const std::size_t n = co_await peer.read_some(buffer);
            if (n == 0) break;
            co_await peer.write_all(std::span(buffer).first(n));
        }
    } catch (const std::system_error&) {
        // The peer is gone.
    }
}

/// Prints its port for the load generator, and accepts for ever.
inline weft::coro<> serve_echo() {
    auto listener = weft::net::tcp_listener::bind(weft::net::endpoint::loopback_v4(0));
    std::printf("{\"port\": %u}\n", static_cast<unsigned>(listener.local_endpoint().port()));
    std::fflush(stdout);
    for (;;) weft::create_task(echo(co_await listener.accept()));
}

}  // namespace bench
