// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A request that comes after the result, and before the task runs again, replaces it.
#include "print.hpp"

namespace {

weft::coro<std::string> waits(weft::future<int> future) {
    try {
        co_return std::to_string(co_await future);
    } catch (const weft::cancelled&) {
        co_return "cancelled instead";
    }
}

weft::coro<> async_main() {
    weft::promise<int> promise;
    auto task = weft::create_task(waits(promise.get_future()));
    co_await weft::yield();
    promise.set_result(1);
    print("cancel", task.cancel());
    print(co_await task);
    print("the future still has", promise.get_future().result());

    promise = weft::promise<int>();
    task = weft::create_task(waits(promise.get_future()));
    co_await weft::yield();
    print("cancel", task.cancel());
    print(co_await task);
    print("the future is cancelled", promise.get_future().cancelled());
    try {
        promise.set_result(2);
    } catch (const weft::invalid_state_error&) {
        print("invalid state");
    }
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
