// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sweeper.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "end_task.hpp"

namespace kv {

using namespace std::chrono_literals;

void sweeper::start() {
    const std::scoped_lock lock(mutex_);
    if (is_running_.load(std::memory_order_relaxed)) return;  // mutex_ orders it
    task_ = weft::create_task({.name = "sweeper"}, &sweeper::sweep, this);
    is_running_.store(true, std::memory_order_relaxed);  // mutex_ orders it
}

// A deadline that was set since the last sweep keeps the task alive: whoever set it may have seen
// it running. Only what is looked up after the task has said that it ends is certain.
bool sweeper::try_finish() {
    const std::scoped_lock lock(mutex_);
    is_running_.store(false, std::memory_order_seq_cst);  // S1: before the look
    if (!data_.has_deadlines()) return true;
    is_running_.store(true, std::memory_order_relaxed);  // mutex_ orders it: start() waits
    return false;
}

weft::coro<> sweeper::sweep() {
    // Not more often than `shortest`, so that many close deadlines cost one sweep. Not less often
    // than `longest`, so that a deadline nearer than the one slept for is not missed for long.
    constexpr auto shortest = 100ms;
    constexpr auto longest = 1s;
    for (;;) {
        const deadline now = instant::now().steady;
        const deadline next = data_.sweep(now);
        if (next == never && try_finish()) co_return;
        co_await weft::sleep_until(std::clamp<deadline>(next, now + shortest, now + longest));
    }
}

weft::coro<> sweeper::stop() {
    weft::task<> last;
    {
        const std::scoped_lock lock(mutex_);
        last = task_;
    }
    co_await end_task(std::move(last));
}

}  // namespace kv
