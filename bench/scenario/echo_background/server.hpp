// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// echo_background: the server of tcp_echo with eight tasks beside it that compute for ever, 100 us
// between two suspensions, at the priority that each contender names, or not at all.
#pragma once

#include "contract/contract.hpp"

#include <weft/net/tcp_listener.hpp>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace bench {

inline constexpr int computing_tasks = 8;
inline constexpr std::chrono::microseconds computes_for{100};

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

inline weft::coro<> compute() {
    for (;;) {
        const auto end = std::chrono::steady_clock::now() + computes_for;
        while (std::chrono::steady_clock::now() < end) {
        }
        co_await weft::yield();
    }
}

inline weft::coro<> serve(std::optional<weft::priority> beside) {
    auto listener = weft::net::tcp_listener::bind(weft::net::endpoint::loopback_v4(0));
    std::printf("{\"port\": %u}\n", static_cast<unsigned>(listener.local_endpoint().port()));
    std::fflush(stdout);
    for (int i = 0; beside && i < computing_tasks; ++i) {
        weft::create_task(compute(), {.priority = beside});
    }
    for (;;) weft::create_task(echo(co_await listener.accept()));
}

inline int run_server(int argc, char** argv, std::optional<weft::priority> beside) {
    const arguments given = parse(argc, argv);
    weft::run(serve(beside), {.workers = given.workers});
    return 0;
}

}  // namespace bench
