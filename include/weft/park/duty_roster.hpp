// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many of a runtime's rescue workers are on duty: the first so many of them. The watchdog
// decides; a worker asks before it parks. On duty it parks as every worker does, in the idle set.
// Off duty it rests: it sleeps on its parker and is in no idle set, so that no producer wakes it.
//
// Protocol: duty roster                                    checked by: tests/model/watch_model.cpp
// Roles      watchdog (one thread) · rescue workers
// Word       wanted: how many are on duty
// Invariants R1 only a worker on duty enters the idle set; it may find out in there that it is not.
//            R2 whoever leaves for its rest while it searches looks for others first
//               (idle_set::retire, that protocol's I3).
// Edges      R3 none of its own: wanted is stored before the unpark whose token, with the parker's
//               edges, makes the worker look again.
// Races      The watchdog sends a worker to rest while a notifier claims it: it wakes as a searcher
//            and finds the item, or hands the search on (R2).
//            The watchdog calls a worker that is about to rest: the token makes it look again.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class duty_roster {
public:
    /// Rescue worker `number`: whether it is on duty.
    [[nodiscard]] bool wants(std::uint32_t number) const noexcept {
        return number < wanted_.load(std::memory_order_relaxed);  // R3: the token orders it
    }
    /// Watchdog.
    [[nodiscard]] std::uint32_t wanted() const noexcept {
        return wanted_.load(std::memory_order_relaxed);  // its own
    }
    /// Watchdog: `unpark(number)` is called for every worker that this concerns.
    template <class Unpark>
    void set(std::uint32_t wanted, Unpark&& unpark) noexcept;

private:
    typename Env::template atomic<std::uint32_t> wanted_{0};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
template <class Unpark>
void duty_roster<Env>::set(std::uint32_t wanted, Unpark&& unpark) noexcept {
    const std::uint32_t before = this->wanted();
    const bool early = mutated<Env>(mutation::duty_unparks_first);
    if (!early) wanted_.store(wanted, std::memory_order_relaxed);  // R3: before the tokens
    for (std::uint32_t i = wanted < before ? wanted : before; i < wanted || i < before; ++i) {
        unpark(i);
    }
    if (early) wanted_.store(wanted, std::memory_order_relaxed);  // R3: the planted fault
}

}  // namespace weft::detail
