// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How a future comes by its outcome: a producer has a result, or a canceller wants none. To the
// rest of the runtime a future is a task that waits; when it becomes ready nothing runs, it is
// settled on the spot.
//
// Protocol: settlement
//            checked by: tests/model/settlement_model.cpp, tests/stress/future_stress_test.cpp
// Roles      producer (any thread, any number) · canceller (any thread, any number)
// Word       claimed: somebody decides; beside it the lifecycle word (lifecycle.hpp), which says
//            "waiting" from the start until the future is settled
// Fields     the result → the producer that claimed, then whoever settles
// Invariants F1 one claims: a producer, which stores its result, or a canceller.
//            F2 it is settled once, by whoever takes the lifecycle word out of "waiting": the
//               producer, or the canceller that held it at that moment and lets go.
//            F3 a request that was accepted is met: a result does not become the outcome over one
//               that is undelivered, though its producer had the claim.
// Edges      L1 of the lifecycle word, wake → release of a canceller: the result
//            L4 finish → is_done: the outcome
// Races      A producer claims while a canceller holds the word: the canceller finds the claim
//            taken, lets go, finds the wake and settles; its request counts, so the producer, which
//            waits for the outcome, learns that it was too late.
// Progress   a producer waits only for one that holds the word at that moment, which waits for
//            nobody and runs nothing of the user's before it has let go.
// Shutdown   memory goes with the last handle.
#pragma once

#include <atomic>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/task/lifecycle.hpp"

namespace weft::detail {

template <class Env>
class settlement {
public:
    /// Producer or canceller: true for the first.
    [[nodiscard]] bool claim() noexcept {
        if (mutated<Env>(mutation::settlement_claims_twice)) return true;
        return !claimed_.exchange(true, std::memory_order_relaxed);  // F1: it publishes nothing
    }
    /// The producer that claimed, its result in place: returns once the future is settled.
    template <class Settle, class Pause>
    void publish(lifecycle<Env>& word, Settle settle, Pause pause) noexcept {
        const bool is_free = word.wake() == lifecycle<Env>::wake_duty::enqueue;
        if (is_free || mutated<Env>(mutation::settlement_settles_while_held)) return settle();
        while (!word.is_done()) pause();  // F2: whoever held it settles
    }

private:
    typename Env::template atomic<bool> claimed_{false};
};

}  // namespace weft::detail
