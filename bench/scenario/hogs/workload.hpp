// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// hogs: sleeps due at evenly spread instants within half a second in which as many tasks as there
// are workers keep theirs: the first computes without a pause, the others wait in read(2) on a pipe
// that blocks. Each sleep notes how late it ended: the answer counts those that did not end early,
// the values are the median and the 99th percentile.
#pragma once

#include "contract/lateness.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace bench {

/// Time to create all the tasks in before the hogs begin, and how long they last.
inline constexpr std::chrono::nanoseconds head_start = std::chrono::milliseconds(100);
inline constexpr std::chrono::nanoseconds kept = std::chrono::milliseconds(500);

/// The deadline of sleep `i`: a fixed permutation of the `size` evenly spread ones.
inline std::chrono::steady_clock::time_point deadline_of(
    std::chrono::steady_clock::time_point start, std::uint64_t i, std::uint64_t size) {
    const std::uint64_t place = i * 100'003 % size;
    const auto share = static_cast<std::uint64_t>(kept.count()) / size;
    return start + head_start + std::chrono::nanoseconds(place * share);
}

/// Keeps the calling worker until `end`.
inline void compute_until(std::chrono::steady_clock::time_point end) {
    while (std::chrono::steady_clock::now() < end) {
    }
}

/// Pipes whose readers are let go at `end`, by a thread that is no worker.
class blocking_pipe {
public:
    blocking_pipe(std::chrono::steady_clock::time_point end, unsigned readers) {
        if (::pipe(ends_) != 0) std::abort();
        writer_ = std::thread([this, end, readers] {
            std::this_thread::sleep_until(end);
            for (unsigned i = 0; i < readers; ++i) {
                if (::write(ends_[1], "x", 1) != 1) std::abort();
            }
        });
    }
    blocking_pipe(const blocking_pipe&) = delete;
    blocking_pipe& operator=(const blocking_pipe&) = delete;
    ~blocking_pipe() {
        writer_.join();
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    /// Keeps the calling worker until then.
    void read() const {
        char byte = 0;
        if (::read(ends_[0], &byte, 1) != 1) std::abort();
    }

private:
    int ends_[2] = {-1, -1};
    std::thread writer_;
};

}  // namespace bench
