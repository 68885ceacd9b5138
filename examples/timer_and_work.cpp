// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A timer that ticks every second beside some other work.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<std::string> timer(int duration) {
    for (int i = 0; i < duration; ++i) {
        std::printf("Timer: %d second(s) passed\n", i + 1);
        co_await weft::sleep(1s);
    }
    co_return "Timer: done";
}

weft::coro<std::string> work() {
    std::puts("Work: started");
    co_await weft::sleep(2s);
    co_return "Work: done";
}

weft::coro<> async_main() {
    auto timer_task = weft::create_task(timer(5));
    auto work_task = weft::create_task(work());
    std::string timer_result = co_await timer_task;
    std::string work_result = co_await work_task;
    std::puts(timer_result.c_str());
    std::puts(work_result.c_str());
}

int main() { weft::run(async_main(), {.workers = 1}); }
