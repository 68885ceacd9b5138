// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timers: sleeps due at evenly spread instants within one second, created in an order unlike that
// of their deadlines, by as many tasks. Each notes how long after its deadline it ran: the answer
// counts the sleeps that did not end early, the values are the median and the 99th percentile.
#pragma once

#include "contract/lateness.hpp"

#include <chrono>
#include <cstdint>

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

}  // namespace bench
