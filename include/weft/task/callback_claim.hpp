// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Who has a callback: the worker that is to call it, or whoever takes it back before.
//
// Protocol: callback claim                          checked by: tests/model/callback_model.cpp,
//                                                   tests/stress/callback_stress_test.cpp
// Roles      runner (the worker that comes to it, once) · canceller (any thread, any number)
// Word       open | called | cancelled
// States     open ──runner──▶ called    open ──canceller──▶ cancelled
// Invariants V1 one claim succeeds, and whoever made it has the callable and destroys it. So a
//               callback is called or was cancelled, never both, never neither.
// Edges      none: the runner has the callable by its queue's edge, a canceller by its handle's,
//            and the record is freed by the references of its control block (T1).
// Shutdown   whoever ends a record that nobody has called claims it as a canceller. So no claim is
//            open once the runtime is gone, and nobody needs that for an answer.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class callback_claim {
public:
    // Each at most once true, and not both.
    [[nodiscard]] bool try_call() noexcept { return try_claim(called); }
    [[nodiscard]] bool try_cancel() noexcept { return try_claim(cancelled); }
    /// Any thread. Once true, always true.
    [[nodiscard]] bool is_cancelled() const noexcept {
        return word_.load(std::memory_order_relaxed) == cancelled;  // V1: no edge
    }

private:
    using word = std::uint8_t;
    static constexpr word open = 0, called = 1, cancelled = 2;

    bool try_claim(word by) noexcept {
        word before = word_.load(std::memory_order_relaxed);  // V1: the exchange asks again
        if (before != open) return false;
        if (mutated<Env>(mutation::callback_claimed_without_cas)) {
            word_.store(by, std::memory_order_relaxed);  // V1: the planted fault itself
            return true;
        }
        return word_.compare_exchange_strong(before, by, std::memory_order_relaxed,  // V1
                                             std::memory_order_relaxed);             // V1
    }

    typename Env::template atomic<word> word_{open};
};

}  // namespace weft::detail
