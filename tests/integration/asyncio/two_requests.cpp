// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two requests before the task runs again are delivered as one, and counted as two.
#include "print.hpp"

namespace {

weft::coro<int> counts() {
    int seen = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            co_await weft::sleep(10ms);
        } catch (const weft::cancelled&) {
            ++seen;
        }
    }
    co_return seen;
}

weft::coro<> async_main() {
    auto task = weft::create_task(counts());
    co_await weft::yield();
    const bool first = task.cancel();
    const bool second = task.cancel();
    print(first, second, task.cancelling());
    print("delivered", co_await task);
    print("cancelled", task.cancelled(), "cancelling", task.cancelling());
    const auto one_left = task.uncancel();
    const auto none_left = task.uncancel();
    print("uncancel", one_left, none_left, task.uncancel());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
