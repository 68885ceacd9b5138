// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the kernel knows of a thread: how much processor time it has used, and whether it is blocked
// in a system call. Tells a task that computes or blocks from one whose thread only waits for a
// core.
//
// Protocol: thread clock                                           checked by: tests/unit/sched
// Words      thread, clock: written once, by the thread that is looked at
// Edges      V1 thread release → acquire: clock
#pragma once

#include <optional>

#include "weft/model/environment.hpp"

namespace weft::detail {

class thread_clock {
public:
    /// The thread to look at, before anybody looks.
    void adopt_this_thread() noexcept;
    /// Any thread, while that thread lives. Zero where the system does not say.
    [[nodiscard]] nanoseconds used() const noexcept;
    /// The same: whether it waits in the kernel; nothing where the system does not say. Takes a few
    /// microseconds.
    [[nodiscard]] std::optional<bool> is_blocked() const noexcept;

private:
    real_environment::atomic<int> clock_{0};
    real_environment::atomic<int> thread_{0};  // 0: none yet
};

}  // namespace weft::detail
