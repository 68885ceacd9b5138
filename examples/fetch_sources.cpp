// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaiting a coroutine runs it in place, so two fetches take the sum of their times; as tasks they
// overlap.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

weft::coro<> fetch(std::string source) {
    std::printf("Starting %s\n", source.c_str());
    co_await weft::sleep(1s);
    std::printf("Done %s\n", source.c_str());
}

weft::coro<> sequential() {
    co_await fetch("source_A");
    co_await fetch("source_B");
}

weft::coro<> concurrent() {
    auto task_a = weft::create_task(fetch("source_A"));
    auto task_b = weft::create_task(fetch("source_B"));
    co_await task_a;
    co_await task_b;
}

weft::coro<> timed(weft::coro<> program) {
    auto start = clock_type::now();
    co_await std::move(program);
    std::chrono::duration<double> elapsed = clock_type::now() - start;
    std::printf("%.1f second(s)\n", elapsed.count());
}

int main() {
    weft::run(timed(sequential()), {.workers = 1});
    weft::run(timed(concurrent()), {.workers = 1});
}
