// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Makes the emptiness of a queue exact. A fast queue of many producers and consumers may tell a
// consumer "empty" though an item lies inside; with a count of tickets around it, who takes a
// ticket owns an item, and who finds no ticket has a proof that may be slept upon.
//
// Protocol: ticket count                              checked by: tests/model/injection_model.cpp
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
// Races      Why tickets: a consumer that scans the queue's parts one after the other can pass the
//            part into which the next item goes, and find in the later ones that another consumer
//            was faster. It is told "empty" while a new item is there; if it goes to sleep on that,
//            the item is stranded. Here it holds a ticket and looks again.
// Progress   a consumer with a ticket waits only for others that are inside the queue.
#pragma once

#include <algorithm>
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

    /// Consumer: takes up to `most` items out of the queue. dequeue(from, to, attempt) tries for
    /// the items [from, to) and says how many it got; from the second attempt on it should pause
    /// first. Returns how many, which is zero only if there was no ticket.
    template <class Dequeue>
    std::size_t take(std::size_t most, Dequeue dequeue) noexcept {
        const std::size_t claimed = claim(most);
        std::size_t taken = 0;
        for (unsigned attempt = 0; taken < claimed; ++attempt) {  // I2
            taken += dequeue(taken, claimed, attempt);
            if (mutated<Env>(mutation::ticket_gives_up)) break;
        }
        return taken;
    }

private:
    /// Lowers the count by what it returns, which is at most `most`.
    [[nodiscard]] std::size_t claim(std::size_t most) noexcept;

    typename Env::template atomic<std::size_t> tickets_{0};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
std::size_t ticket_count<Env>::claim(std::size_t most) noexcept {
    std::size_t there = tickets_.load(std::memory_order_relaxed);  // P2; the CAS acquires
    while (there != 0 && most != 0) {
        const std::size_t taken = std::min(there, most);
        if (mutated<Env>(mutation::ticket_claimed_without_cas)) {
            tickets_.store(there - taken, std::memory_order_relaxed);  // the planted fault itself
            return taken;
        }
        if (tickets_.compare_exchange_weak(there, there - taken,
                                           std::memory_order_acquire,     // P1: items are inside
                                           std::memory_order_relaxed)) {  // reloaded, try again
            return taken;
        }
    }
    return 0;
}

}  // namespace weft::detail
