// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The watchdog's look for deadlocks: once in each time that nothing runs, if that is long.

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

#include "sched/runtime_core.hpp"
#include "sched/watchdog.hpp"

namespace weft::detail {

namespace {

constexpr std::uint64_t most_tasks = 10'000;  // ten milliseconds or so of its time

void report_circle(failure_sink& sink, const await_chain& circle) {
    failure what{failure::kind::deadlock, circle.tasks.front().name, nullptr, {}, circle};
    what.message = "tasks wait for each other in a circle, which only a cancellation can end: " +
                   to_text(circle);
    sink.report(what);
}

}  // namespace

/// When there is to be a look; never, if there has been one since something ran.
time_point watchdog::deadlocks_due() noexcept {
    std::uint64_t progress = 0;
    for (const auto& w : core_.workers()) progress += w->progress();
    if (progress != std::exchange(all_progress_, progress) || idle_since_ == time_point{}) {
        idle_since_ = env::now();
        has_sought_ = false;
    }
    const nanoseconds limit = core_.options().report_deadlocks;
    if (has_sought_ || limit == nanoseconds::zero()) return time_point::max();
    return limit >= time_point::max() - idle_since_ ? time_point::max() : idle_since_ + limit;
}

void watchdog::seek_deadlocks() noexcept {
    if (env::now() < deadlocks_due() || !all_are_idle()) return;
    has_sought_ = true;
    if (core_.statistics().live_tasks > most_tasks) return;
    try {
        std::vector<std::uint64_t> found;
        for (const await_chain& circle : find_circles(core_)) {
            found.push_back(circle.tasks.front().id);
            if (std::ranges::find(circles_, found.back()) == circles_.end())
                report_circle(*core_.failures(), circle);
        }
        circles_ = std::move(found);
    } catch (const std::bad_alloc&) {
        return;  // the process has no memory left to say so
    }
}

}  // namespace weft::detail
