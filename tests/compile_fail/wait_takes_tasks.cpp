// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: (deleted)
#include "weft/combine/wait.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<> waits_for_coroutines() {
#ifndef WEFT_CONTROL
    std::vector<weft::coro<int>> bodies;
    bodies.push_back(body());
    co_await weft::wait(std::move(bodies));
#else
    std::vector<weft::task<int>> tasks;
    tasks.push_back(weft::create_task(body()));
    co_await weft::wait(std::move(tasks));
#endif
}
