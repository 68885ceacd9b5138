// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One thief at a time pays for the heavy fence of a steal: one of each runtime, whose workers share
// a turn. The fence is membarrier(2), which interrupts every core that runs a thread of the
// process, and since Linux 6.8 the calls of all processes go one after the other: a second thief
// would wait for the first one's, and find the deque empty half of the times (docs/scaling.md). So
// it leaves this deque and goes on to its next victim. Where the kernel refuses membarrier the
// fence is an instruction, and nobody takes turns.
//
// Protocol: thief turn                                     checked by: tests/model/park_model.cpp
// Roles      thief (any thread)
// Word       taken_: a thief is inside
// Invariants T1 who was given the turn gives it back as soon as its steal has ended.
// Edges      none: the turn protects nothing. Two thieves inside would be slower, and as right.
// Races      A thief is refused at a deque that is not empty and goes to sleep; the one inside has
//            looked at that deque before the fork was there, finds its own victim empty, and goes
//            to sleep as well. Nothing is lost: the look before a sleep (idle_set's P1) asks
//            whether deques are empty, for which no turn is needed. It is left out only while
//            somebody is counted as searching, and the last of those looks (I3).
// Progress   A thief that is refused has tried nothing, so it may not sleep on that alone (Races),
//            nor go on to what comes after forks. One that loses its core inside keeps all others
//            from forks until it runs again, and leaves those to their owners: more than another
//            searcher does that loses its core, which only keeps sleepers from being called. Both
//            are counted as searching, so nobody waits for one that is not. Bounded: who saw
//            something left while nobody was counted steals once without the turn.
// Shutdown   nothing to do.
// Rejected   refusing only before a thief's last pass: all are in their last pass before the first
//            membarrier has ended, and nearly all of the gain is lost (docs/decisions/0017);
//            turns for who looks for a peer's forks before each run in the background: that is
//            seldom, and what it runs instead comes after forks.
#pragma once

#include <atomic>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class thief_turn {
public:
    thief_turn() = default;
    thief_turn(const thief_turn&) = delete;
    thief_turn& operator=(const thief_turn&) = delete;

    /// False: another thief has it.
    [[nodiscard]] bool try_take() noexcept {
        if (taken_.load(std::memory_order_relaxed)) return false;  // a hint: no edge
        return !taken_.exchange(true, std::memory_order_relaxed);  // a hint: no edge
    }
    void give_back() noexcept {
        if (mutated<Env>(mutation::thief_turn_kept)) return;
        taken_.store(false, std::memory_order_relaxed);  // a hint: no edge
    }

private:
    alignas(64) typename Env::template atomic<bool> taken_{false};
};

}  // namespace weft::detail
