// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How late sleeps ended, for the workloads that measure that.
#pragma once

#include "contract/contract.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

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
