// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Turns the first SIGINT or SIGTERM into a bump of a completion latch. One watch at a time in the
// process; a signal that is ignored or handled by the program itself is left alone.
#pragma once

#include "sched/completion_latch.hpp"

namespace weft::detail {

class signal_watch {
public:
    explicit signal_watch(completion_latch& latch) noexcept;
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;
    /// Restores what was there.
    ~signal_watch();

    /// The signal that came, once; 0 if none. Its default effect is back from then on.
    [[nodiscard]] int take() noexcept;
    /// The signal that take() gave, 0 if none yet.
    [[nodiscard]] int taken() const noexcept { return taken_; }

private:
    bool active_ = false;
    int taken_ = 0;
};

}  // namespace weft::detail
