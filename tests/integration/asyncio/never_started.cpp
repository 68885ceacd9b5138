// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A task that is cancelled before its first step runs no statement; one that misses a request by
// returning is cancelled.
#include <stdexcept>

#include "print.hpp"

namespace {

struct at_the_end {
    ~at_the_end() { print("finally"); }
};

weft::coro<int> body() {
    const at_the_end finally;
    print("ran");
    co_return 0;
}

weft::coro<int> misses(int value) {
    weft::current_task().cancel();
    co_return value;
}

weft::coro<int> fails() {
    weft::current_task().cancel();
    throw std::invalid_argument("own error");
    co_return 0;
}

weft::coro<std::string> outcome(weft::task<int> task) {
    try {
        co_return std::to_string(co_await task);
    } catch (const weft::cancelled&) {
        co_return "cancelled";
    } catch (const std::invalid_argument& error) {
        co_return error.what();
    }
}

weft::coro<> async_main() {
    auto task = weft::create_task(body());
    task.cancel();
    print(co_await outcome(task), task.cancelled());
    task = weft::create_task(misses(12));
    print(co_await outcome(task), task.cancelled());
    task = weft::create_task(fails());
    print(co_await outcome(task), task.cancelled(), task.cancelling());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
