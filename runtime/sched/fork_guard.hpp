// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// fork() copies a runtime without its threads. The child may exec, exit, and start a runtime of its
// own; whatever it asks of the copy ends with a sentence instead of a wait for ever.
//
// Protocol: fork guard                                    checked by: tests/unit/sched
// Roles      the thread that forks
// Words      fork_count: how many forks lie between this process and the first
// Invariants F1 no mutex that a new runtime needs is copied while locked, and nothing half made:
//               the mutexes of the frame pool, of the lists of runtimes and of signal watches, and
//               of what a first runtime prepares, are held over the fork.
//            F2 signals have the effect that they had before the runtime: no handler of ours is
//               left, none came in between, since they are blocked over the fork, and a worker
//               that forks does not leave them blocked to what it execs.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"

namespace weft::detail {

extern real_environment::atomic<std::uint32_t> fork_count;

[[nodiscard]] inline std::uint32_t forks_survived() noexcept {
    return fork_count.load(std::memory_order_relaxed);  // written while one thread exists
}

/// What a process needs once, whichever runtime is its first. A fork waits for its end.
void prepare_process();

}  // namespace weft::detail
