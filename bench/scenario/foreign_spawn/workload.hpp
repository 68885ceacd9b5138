// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// foreign_spawn: a thread that is no worker starts tasks. First `size` of them in one go, for the
// time of one and for how often a thread went to sleep meanwhile; then one now and again while all
// workers sleep, for how long it takes until it runs. The answer is how many tasks were waited for.
#pragma once

#include "contract/contract.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace bench {

inline constexpr std::uint64_t single_starts = 1000;
inline constexpr std::chrono::microseconds pause{300};  // in which the workers go to sleep

/// Counts the tasks that ran, and when the last one did. Must live longer than the tasks.
class tally {
public:
    explicit tally(std::uint64_t goal) : goal_(goal) {}
    tally(const tally&) = delete;
    tally& operator=(const tally&) = delete;
    /// What each task does.
    void arrive() {
        last_ = std::chrono::steady_clock::now();
        if (count_.fetch_add(1) + 1 == goal_) all_have_.release();
    }
    /// Asleep, away from the workers' count.
    void wait_until_all_have() { all_have_.acquire(); }
    /// Spins: this thread must not be late itself.
    std::chrono::steady_clock::time_point when_all_had() {
        while (count_.load() != goal_) {
        }
        return last_;
    }

private:
    std::uint64_t goal_;
    std::binary_semaphore all_have_{0};
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::chrono::steady_clock::time_point> last_{};
};

/// How often the threads of this process gave their processor up, as they do to sleep.
inline std::uint64_t sleeps_so_far() {
    const std::string key = "voluntary_ctxt_switches:";
    std::uint64_t sum = 0;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream status(thread.path() / "status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with(key)) sum += std::stoull(line.substr(key.size()));
        }
    }
    return sum;
}

/// `start(tally&)` starts a task that arrives there.
template <class Start>
void measure_foreign_spawn(const arguments& given, Start&& start) {
    static std::deque<tally> tallies;  // the last task may still be in arrive()
    for (unsigned repetition = 0; repetition < given.repeat; ++repetition) {
        const std::uint64_t answer = given.size + single_starts;
        const std::uint64_t sleeps_before = sleeps_so_far();
        const auto begin = std::chrono::steady_clock::now();
        tally& burst = tallies.emplace_back(given.size);
        for (std::uint64_t i = 0; i < given.size; ++i) start(burst);
        burst.wait_until_all_have();
        const double nanoseconds = nanoseconds_since(begin);
        const auto sleeps = static_cast<double>(sleeps_so_far() - sleeps_before);
        const double size = static_cast<double>(given.size);
        report(nanoseconds / size, "ns/op", answer, "burst");
        report(sleeps * 1e6 / size, "per 1e6", answer, "sleeps");

        std::vector<double> microseconds;
        for (std::uint64_t i = 0; i < single_starts; ++i) {
            std::this_thread::sleep_for(pause);
            tally& one = tallies.emplace_back(1);
            const auto before = std::chrono::steady_clock::now();
            start(one);
            const std::chrono::duration<double, std::micro> late = one.when_all_had() - before;
            microseconds.push_back(late.count());
        }
        std::sort(microseconds.begin(), microseconds.end());
        report(microseconds[single_starts / 2], "us", answer, "wake p50");
        report(microseconds[single_starts * 99 / 100], "us", answer, "wake p99");
    }
}

}  // namespace bench
