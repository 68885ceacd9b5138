// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A cancellation that was swallowed is over: later awaits are not interrupted.
#include "print.hpp"

namespace {

weft::coro<std::string> declines() {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        print("swallowed");
    }
    co_await weft::sleep(10ms);
    print("slept");
    co_await weft::yield();
    print("yielded");
    co_return "done";
}

weft::coro<> async_main() {
    auto task = weft::create_task(declines());
    co_await weft::yield();
    print("cancel", task.cancel());
    print(co_await task);
    print("cancelled", task.cancelled(), "cancelling", task.cancelling());
    print("again", task.cancel());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
