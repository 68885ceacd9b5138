// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A computation that never waits, and can be cancelled all the same: checkpoint() in its loop. And
// a function that is called when a task is done.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <weft/weft.hpp>

namespace {

weft::coro<std::uint64_t> count_until_asked(std::atomic<bool>& begun) {
    for (std::uint64_t steps = 0;; ++steps) {
        co_await weft::checkpoint();
        if (steps == 1000) begun.store(true);
    }
}

void tell(const weft::any_task& done) {
    std::printf("%s: %s\n", done.name().c_str(), done.cancelled() ? "cancelled" : "has a result");
}

weft::coro<> async_main() {
    std::atomic<bool> begun{false};
    auto counting = weft::create_task(count_until_asked(begun), {.name = "counting"});
    counting.add_done_callback(tell);
    // Its worker is busy with the loop: the request comes from another thread.
    std::thread user([&] {
        while (!begun.load()) std::this_thread::yield();
        counting.cancel("enough");
    });
    try {
        co_await counting;
    } catch (const weft::cancelled& why) {
        std::printf("%s\n", std::string{why.reason()}.c_str());
    }
    user.join();
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
