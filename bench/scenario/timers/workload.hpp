// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timers: sleeps due at evenly spread instants within one second, created in an order unlike that
// of their deadlines, by as many tasks. Each notes how long after its deadline it ran: the answer
// counts the sleeps that did not end early, the values are the median and the 99th percentile.
#pragma once

#include "contract/contract.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Time to create all the tasks in before the first deadline.
inline constexpr std::chrono::nanoseconds head_start = std::chrono::milliseconds(500);

/// The deadline of sleep `i`: a fixed permutation of the `size` evenly spread ones. The step is a
/// prime that divides no size in use.
inline std::chrono::steady_clock::time_point deadline_of(
    std::chrono::steady_clock::time_point start, std::uint64_t i, std::uint64_t size) {
    const std::uint64_t place = i * 100'003 % size;
    return start + head_start + std::chrono::nanoseconds(place * 1'000'000'000 / size);
}

/// How late, in nanoseconds, a sleep with this deadline ends if it ends now.
inline std::int64_t lateness(std::chrono::steady_clock::time_point deadline) {
    return (std::chrono::steady_clock::now() - deadline) / std::chrono::nanoseconds(1);
}

/// Reports one repetition.
inline void report_lateness(std::vector<std::int64_t> measured) {
    const std::size_t size = measured.size();
    const auto early = [](std::int64_t nanoseconds) { return nanoseconds < 0; };
    const auto ended_early = std::count_if(measured.begin(), measured.end(), early);
    const std::uint64_t answer = size - static_cast<std::uint64_t>(ended_early);
    std::sort(measured.begin(), measured.end());
    report(static_cast<double>(measured[size / 2]) / 1e3, "us", answer, "p50");
    report(static_cast<double>(measured[size * 99 / 100]) / 1e3, "us", answer, "p99");
}

}  // namespace bench
