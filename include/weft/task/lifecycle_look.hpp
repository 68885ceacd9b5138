// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A look at what a waiting runnable waits for, without asking it to stop. A looker takes the
// lifecycle word's busy bit as a canceller does, so the coroutines and the operation stay as they
// are for as long as it reads them.
//
// Protocol: look at a waiting runnable              checked by: tests/model/lifecycle_model.cpp
// Roles      looker (any thread, any number) · the others: lifecycle.hpp
// Word       lifecycle.hpp's
// Invariants V1 who finds `busy` leaves what it came for to whoever set it: a waker the wake-up, a
//               canceller its request. So a looker does for both what they would have done.
// Edges      V2 suspend release → begin acquire: resume point, operation, frames
//            V3 end release → the acquire of whoever takes it out of `waiting`: the look is over
// Races      a request comes during the look: the canceller only counts it, and the looker, who
//            finds it at the end, stays busy and asks the operation in the canceller's place. Were
//            it dropped, a task whose operation never completes would never hear of it.
//            A request that the operation has answered with "lost" before the look is found as
//            well: asked again, the operation answers the same.
// Progress   a look is bounded and waits for nobody; it delays only what it looks at.
#pragma once

#include <cstdint>

#include "weft/model/mutation.hpp"
#include "weft/task/lifecycle.hpp"

namespace weft::detail {

template <class Env>
class lifecycle_look {
public:
    using life = lifecycle<Env>;

    /// True: it waits, and goes on waiting until end(). False: it does not, or somebody else is
    /// busy with it.
    [[nodiscard]] static bool begin(life& target) noexcept {
        if (!is_free(target.word_.load(std::memory_order_relaxed))) return false;  // V2 below
        return is_free(target.update([](word v) { return is_free(v) ? v | life::busy_bit : v; }));
    }

    /// `handle_again`: a request came. Then the looker is its canceller: it asks the operation, and
    /// lets go by lifecycle::release().
    [[nodiscard]] static typename life::release_duty end(life& target) noexcept {
        using duty = typename life::release_duty;
        const word before = target.update([](word v) {
            if (must_handle(v)) return v;
            const bool wakes = is_woken(v) && !mutated<Env>(mutation::look_forgets_deferred_wake);
            return wakes ? v & ~life::busy_bit & ~life::woken_bit & ~life::state_mask
                         : v & ~life::busy_bit;
        });
        if (must_handle(before)) return duty::handle_again;
        return is_woken(before) ? duty::enqueue : duty::none;
    }

private:
    using word = std::uint64_t;
    static bool is_free(word v) noexcept {
        return (v & life::state_mask) == life::waiting && (v & life::busy_bit) == 0;
    }
    static bool is_woken(word v) noexcept { return (v & life::woken_bit) != 0; }
    /// One that is woken finds its requests itself.
    static bool must_handle(word v) noexcept {
        if (mutated<Env>(mutation::look_forgets_requests)) return false;
        return life::undelivered(v) != 0 && !is_woken(v);
    }
};

}  // namespace weft::detail
