// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine that calls something that blocks keeps its worker. The runtime names it, with the
// task that waits for it, and the others go on meanwhile.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

weft::coro<> digest() {
    std::this_thread::sleep_for(300ms);  // should have been: co_await weft::sleep(300ms)
    co_return;
}

weft::coro<> serve() {
    weft::task<> work = weft::create_task(digest(), {.name = "digest"});
    co_await weft::sleep(150ms);
    std::puts("the others go on");
    co_await work;
    std::puts("digest is done");
}

int main() {
    weft::runtime runtime({.workers = 2, .slow_run = 10ms});
    runtime.set_slow_run_handler([](const weft::slow_run& what) {
        std::printf("%s %s its worker\n", what.task_name.c_str(),
                    what.blocked ? "blocks" : "computes on");
        std::fflush(stdout);
    });
    runtime.block_on(serve());
}
