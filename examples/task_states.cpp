// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a task says of itself: pending, done, cancelled.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

const char* text(bool value) { return value ? "True" : "False"; }

weft::coro<std::string> work() {
    co_await weft::sleep(1s);
    co_return "result";
}

weft::coro<> async_main() {
    auto task = weft::create_task(work());
    std::puts(text(task.done()));  // still pending
    std::string result = co_await task;
    std::puts(text(task.done()));  // completed
    std::puts(result.c_str());

    auto stopped = weft::create_task(work());
    stopped.cancel("not needed");
    try {
        co_await stopped;
    } catch (const weft::cancelled& why) {
        std::printf("cancelled: %s\n", std::string(why.reason()).c_str());
    }
    std::printf("%s %s\n", text(stopped.done()), text(stopped.cancelled()));
}

int main() { weft::run(async_main()); }
