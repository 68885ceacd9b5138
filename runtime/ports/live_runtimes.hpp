// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which runtimes exist. A task handle may outlive its runtime; the few operations on a handle that
// need the runtime after the task is done ask here first. Cold paths only: one mutex.
#pragma once

#include <mutex>

#include "weft/ports/ports.hpp"

namespace weft::detail {

/// Keeps a runtime from being destroyed while it exists.
class live_runtime {
public:
    /// `runtime` may dangle; get() is nullptr then.
    explicit live_runtime(runtime_port* runtime) noexcept;
    [[nodiscard]] runtime_port* get() const noexcept { return runtime_; }

    static void enter(runtime_port& runtime);
    static void leave(runtime_port& runtime) noexcept;

    // Around fork(): see sched/fork_guard.hpp.
    static void hold_list();
    static void release_list();
    static void forget_all() noexcept;  // while held

private:
    std::unique_lock<std::mutex> lock_;
    runtime_port* runtime_ = nullptr;
};

}  // namespace weft::detail
