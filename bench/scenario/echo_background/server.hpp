// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// echo_background: the server of tcp_echo with eight tasks beside it that compute for ever, 100 us
// between two suspensions, at the priority that each contender names, or not at all.
#pragma once

#include "contract/contract.hpp"
#include "tcp_echo/server.hpp"

#include <weft/weft.hpp>

#include <chrono>
#include <optional>

namespace bench {

inline constexpr int computing_tasks = 8;
inline constexpr std::chrono::microseconds computes_for{100};

inline weft::coro<> compute() {
    for (;;) {
        const auto end = std::chrono::steady_clock::now() + computes_for;
        while (std::chrono::steady_clock::now() < end) {
        }
        co_await weft::yield();
    }
}

inline weft::coro<> serve(std::optional<weft::priority> beside) {
    for (int i = 0; beside && i < computing_tasks; ++i) {
        weft::create_task(compute(), {.priority = beside});
    }
    co_await serve_echo();
}

inline int run_server(int argc, char** argv, std::optional<weft::priority> beside) {
    const arguments given = parse(argc, argv);
    weft::run(serve(beside), {.workers = given.workers});
    return 0;
}

}  // namespace bench
