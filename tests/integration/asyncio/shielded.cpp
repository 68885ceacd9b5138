// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A shield keeps a cancellation from what it protects, and passes on every outcome.
#include <stdexcept>

#include "print.hpp"

namespace {

weft::coro<int> works() {
    co_await weft::sleep(30ms);
    print("work ended");
    co_return 42;
}

weft::coro<int> fails() {
    co_await weft::yield();
    throw std::invalid_argument("inner");
}

weft::coro<int> outer(weft::task<int> inner) { co_return co_await weft::shield(inner); }

std::vector<weft::task<int>> only(const weft::task<int>& task) { return {task}; }

weft::coro<> async_main() {
    auto inner = weft::create_task(works());
    auto task = weft::create_task(outer(inner));
    co_await weft::sleep(10ms);
    print("cancel", task.cancel());
    co_await weft::wait(only(task));
    print("outer", task.cancelled(), "inner", inner.done());
    const int first = co_await inner;
    const int second = co_await weft::shield(inner);
    print(first, second);
    try {
        co_await weft::shield(fails());
    } catch (const std::invalid_argument& error) {
        print(error.what());
    }
    inner = weft::create_task(works());
    task = weft::create_task(outer(inner));
    co_await weft::sleep(10ms);
    inner.cancel();
    co_await weft::wait(only(task));
    print("outer", task.cancelled(), task.cancelling());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
