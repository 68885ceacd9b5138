// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The level of a lifecycle word: how many of the cancel scopes that a runnable is in are cancelled.
// A request is delivered once and is over. While the level is not zero, every suspension is: what
// is waited for is asked to stop, and the runnable goes on with a cancellation.
//
// Protocol: level                                   checked by: tests/model/lifecycle_model.cpp
// Roles      owner · canceller of a scope: lifecycle.hpp
// Word       lifecycle.hpp's
// Invariants N1 between raise() and lower() every suspension ends with a cancellation, or with
//               `woken`, whose take_requests() says the same.
// Edges      L3 raise release → take acquire: the scope's reason
// Races      A runnable that waits does not notice raise(): the request that follows takes it out,
//            or goes to what it waits for, and then take_requests() finds the level.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/base/check.hpp"
#include "weft/model/mutation.hpp"
#include "weft/task/lifecycle.hpp"

namespace weft::detail {

template <class Env>
class lifecycle_level {
public:
    using life = lifecycle<Env>;

    /// A scope around what it runs is cancelled: before the scope makes its request.
    static void raise(life& target) noexcept {
        if (mutated<Env>(mutation::level_is_not_raised)) return;
        const word before = target.update([](word v) { return v + life::level_one; });
        WEFT_CHECK((before & life::level_mask) != life::level_mask,
                   "more than 255 cancelled scopes lie in one another");
    }
    /// Owner: that scope ends. The level that is left.
    static unsigned lower(life& target) noexcept {
        return level_of(target.update([](word v) { return v - life::level_one; })) - 1;
    }
    [[nodiscard]] static unsigned of(const life& target) noexcept {
        return level_of(target.word_.load(std::memory_order_acquire));  // L3
    }

private:
    using word = typename life::word;
    static unsigned level_of(word v) noexcept {
        return static_cast<unsigned>((v & life::level_mask) / life::level_one);
    }
};

}  // namespace weft::detail
