// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the watchdog tells about a task that keeps its worker from the others.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

namespace weft {

struct slow_run {
    std::string task_name;
    std::uint64_t task_id = 0;
    /// The coroutine function that the task runs.
    std::source_location location;
    unsigned worker = 0;
    /// Since its last resumption, to within two looks of the watchdog.
    std::chrono::nanoseconds held{};
    /// It waits in a system call; false: it computes.
    bool blocked = false;
    /// The names of the task that awaits it, of the one that awaits that, and so on.
    std::vector<std::string> awaited_by;
    /// One sentence with all of it.
    std::string message;
};

/// Called on the watchdog's thread, one call at a time, while the task goes on. It may replace
/// itself, cannot close the runtime, and should not block: meanwhile nobody watches, and the end of
/// the runtime waits for it. What it throws is dropped. Where a task named here ends at this very
/// moment, its result may be destroyed on this thread too.
using slow_run_handler = std::function<void(const slow_run&)>;

}  // namespace weft
