// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Makes the emptiness of a queue exact. A fast queue of many producers and consumers may tell a
// consumer "empty" though an item lies inside; with a count of tickets around it, who takes a
// ticket owns an item, and who finds no ticket has a proof that may be slept upon.
//
// Protocol: ticket count                             checked by: tests/model/injection_model.cpp
// Roles      producer · consumer (any threads)
// Word       tickets_ items published and not yet claimed, never below zero
// Invariants I1 tickets_ is at most the number of items inside minus the claims still to be served:
//               it is raised after the item is in, and lowered before one is taken out.
//            I2 who lowers it owns one item, any one, and looks until it has it.
// Edges      P1 enqueue, then tickets_ RMW release → tickets_ CAS acquire: the item is inside
//            P2 store-load pair, made by idle_set's fences: {publish, fence, read who is idle} /
//               {announce, fence, read tickets_}. A re-scan that reads zero has the proof: all that
//               was published is claimed by a worker that is awake, or its producer will see this
//               worker idle.
// Races      Why tickets. The storage is in parts, one for each producer, which a consumer scans in
//            turn: it can pass the part into which the next item goes, and find in the later ones
//            that others were faster. And a part counts its consumers in before they know that they
//            will get an item, and those who will not out again: in between it looks empty. Either
//            way a consumer is told "empty" while an item is inside that nobody has claimed; if it
//            goes to sleep on that, the item is stranded. Here it holds a ticket and looks again.
// Progress   a consumer with a ticket waits only for others that are inside the queue.
// Shutdown   nothing to do: tickets left over are items left over.
#pragma once

#include <atomic>
#include <cstddef>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class ticket_count {
public:
    /// Producer: an item is inside.
    void publish() noexcept {
        tickets_.fetch_add(1, std::memory_order_release);  // P1
    }

    /// Any thread. After the parker's fence, true is exact (P2); false may be out of date.
    [[nodiscard]] bool is_zero() const noexcept {
        return tickets_.load(std::memory_order_relaxed) == 0;  // P2; P1 is in the claim
    }

    /// Consumer: an item, or a null one if there was no ticket. look(n) tries for one, from n = 0
    /// on; it may fail while other consumers are inside the queue, and should pause where n > 0.
    template <class Look>
    auto take(Look look) noexcept -> decltype(look(0U)) {
        if (!claim()) return {};
        auto item = look(0U);
        if (mutated<Env>(mutation::ticket_gives_up)) return item;
        for (unsigned n = 1; !item; ++n) item = look(n);  // I2
        return item;
    }

private:
    [[nodiscard]] bool claim() noexcept;

    typename Env::template atomic<std::size_t> tickets_{0};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
bool ticket_count<Env>::claim() noexcept {
    std::size_t there = tickets_.load(std::memory_order_relaxed);  // P2; the CAS acquires
    while (there != 0) {
        if (mutated<Env>(mutation::ticket_claimed_without_cas)) {
            tickets_.store(there - 1, std::memory_order_relaxed);  // the planted fault itself
            return true;
        }
        if (tickets_.compare_exchange_weak(there, there - 1,
                                           std::memory_order_acquire,     // P1: an item is inside
                                           std::memory_order_relaxed)) {  // reloaded, try again
            return true;
        }
    }
    return false;
}

}  // namespace weft::detail
