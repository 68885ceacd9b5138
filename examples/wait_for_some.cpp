// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// wait: five downloads, and a line about them every half second until all have ended. The wait
// cancels none of them and throws nothing for those that fail; what has ended is looked at then.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<int> download(int number, std::chrono::milliseconds time) {
    co_await weft::sleep(time);
    if (number == 2) throw std::runtime_error("connection reset");
    co_return number * 1000;
}

void report(const weft::task<int>& ended) {
    try {
        std::printf("%s: %d bytes\n", ended.name().c_str(), ended.result());
    } catch (const std::exception& e) {
        std::printf("%s: %s\n", ended.name().c_str(), e.what());
    }
}

weft::coro<> async_main() {
    std::vector<weft::task<int>> running;
    int number = 0;
    for (auto time : {250ms, 700ms, 800ms, 1250ms, 1700ms}) {
        const std::string name = "download " + std::to_string(++number);
        running.push_back(weft::create_task(download(number, time), {.name = name}));
    }
    while (!running.empty()) {
        auto [done, pending] = co_await weft::wait(std::move(running), {.timeout = 500ms});
        for (const auto& task : done) report(task);
        std::printf("%zu still running\n", pending.size());
        running = std::move(pending);
    }
}

int main() { weft::run(async_main()); }
