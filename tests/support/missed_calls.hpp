// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a worker that offers work may meet: a peer that is about to sleep and is not called.
#pragma once

#include <thread>
#include <utility>

#include "sched/runtime_core.hpp"

namespace weft::test {

/// Of the worker that asks.
[[nodiscard]] inline detail::runtime_core& this_core() {
    return static_cast<detail::runtime_core&>(detail::this_worker()->runtime());
}

/// From the moment at which the other worker is idle, no call reaches it.
class missed_calls {
public:
    missed_calls() {
        while (this_core().idle.idle_count() != 1 || !this_core().idle.begin_search()) {
            std::this_thread::yield();
        }
    }
    missed_calls(const missed_calls&) = delete;
    missed_calls& operator=(const missed_calls&) = delete;
    ~missed_calls() { end(); }
    /// The calls that were made so far stay missed.
    void end() {
        if (!std::exchange(ended_, true)) static_cast<void>(this_core().idle.finish_search_found());
    }

private:
    bool ended_ = false;
};

}  // namespace weft::test
