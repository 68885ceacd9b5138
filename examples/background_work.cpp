// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two kinds of work on one worker: an index that is rebuilt in the background, in small steps, and
// queries that are answered before the next step, whenever they come.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

int steps = 0;

weft::coro<> rebuild_index() {
    for (; steps < 1000; ++steps) {
        auto until = std::chrono::steady_clock::now() + 100us;
        while (std::chrono::steady_clock::now() < until) {
        }
        co_await weft::yield();
    }
}

weft::coro<> answer(int query) {
    std::printf("query %d, %s\n", query, steps < 1000 ? "while it is rebuilt" : "too late");
    co_return;
}

weft::coro<> serve() {
    auto index = weft::create_task(rebuild_index(), {.priority = weft::priority::background});
    for (int query = 1; query <= 3; ++query) {
        co_await weft::sleep(5ms);
        co_await weft::create_task(answer(query));
    }
    co_await index;
    std::printf("rebuilt in %d steps\n", steps);
}

int main() { weft::run(serve(), {.workers = 1}); }
