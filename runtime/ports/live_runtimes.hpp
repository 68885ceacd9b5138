// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which runtimes exist. A task handle may outlive its runtime; the few operations on a handle that
// need the runtime after the task is done ask here first. Cold paths only: one mutex, which nobody
// holds while he uses what he found. So he may ask again meanwhile, as whoever settles a future in
// passing does.
#pragma once

#include "weft/ports/ports.hpp"

namespace weft::detail {

/// Keeps a runtime from being destroyed while it exists.
class live_runtime {
public:
    /// `runtime` may dangle; get() is nullptr then.
    explicit live_runtime(const runtime_port* runtime) noexcept;
    live_runtime(const live_runtime&) = delete;
    live_runtime& operator=(const live_runtime&) = delete;
    ~live_runtime();
    [[nodiscard]] runtime_port* get() const noexcept { return runtime_; }

    static void enter(runtime_port& runtime);
    /// Returns once nobody keeps it any more.
    static void leave(runtime_port& runtime) noexcept;

    // Around fork(): see sched/fork_guard.hpp.
    static void hold_list();
    static void release_list();
    static void forget_all() noexcept;  // while held

private:
    runtime_port* runtime_ = nullptr;
};

}  // namespace weft::detail
