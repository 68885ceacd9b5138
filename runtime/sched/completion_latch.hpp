// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Blocks a thread that is no worker until a number of tasks are done.
//
// Protocol: completion latch                      checked by: tests/stress/sched_stress_test.cpp
// Roles      waiter (one thread) · finishers (any worker) · a signal handler
// Word       events: bumped by every finisher and signal; the waiter sleeps on it
// Invariants X1 shared ownership: the last finisher may still touch the word when the waiter left.
// Edges      X2 remaining decrement release → waiter acquire: the tasks' outcomes
// Progress   the waiter reads `events` before it looks at `remaining`, so a bump in between makes
//            the futex return at once.
#pragma once

#include <cstdint>
#include <memory>

#include "weft/task/task_state.hpp"

namespace weft::detail {

class completion_latch : public std::enable_shared_from_this<completion_latch> {
public:
    /// Counts `task` if it is not done. The caller keeps no duty; throws std::bad_alloc.
    void watch(task_state& task);
    [[nodiscard]] bool is_open() const noexcept {
        return remaining_.load(std::memory_order_acquire) == 0;  // X2
    }
    /// Sleeps until something happened since `seen`, or the deadline. False: deadline.
    bool wait(std::uint32_t seen, time_point deadline) noexcept {
        return real_environment::futex_wait(events_, seen, deadline);
    }
    [[nodiscard]] std::uint32_t events() const noexcept {
        return events_.load(std::memory_order_acquire);  // X2
    }
    /// Async-signal-safe.
    void bump() noexcept {
        events_.fetch_add(1, std::memory_order_release);  // X2
        real_environment::futex_wake(events_, 1);
    }
    /// Blocks until open or the deadline; true if open.
    bool wait_until_open(time_point deadline) noexcept;

private:
    struct watcher;
    real_environment::atomic<std::uint32_t> remaining_{0};
    real_environment::atomic<std::uint32_t> events_{0};
};

}  // namespace weft::detail
