// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many children of a join have not ended. It knows neither children nor workers.
//
// Nobody counts while the home runs them: those that it has offered and not taken back lie in its
// deque, or did until thieves took them, at the indices from the deque's height before the offers
// to its height now. Thieves take the lowest first. So where the home has taken the lowest of its
// own from above others, nobody has taken any. Only what it takes as the last in the deque, by a
// claim, leaves the height where it was: that is counted.
//
// Protocol: join count                               checked by: tests/model/join_model.cpp
// Roles      home (the thread that began the join) · others
// Words      balance: what the home has not run, from when it shares, less what others have
// Fields     base, claimed: home only, until it shares
// Invariants J1 exactly one caller learns that no child is left: the home, if it ran every child
//               itself; else whoever takes `balance` to zero.
//            J2 nobody takes `balance` to zero before the home has shared: until then it only
//               falls, from zero.
// Edges      J3 every change of balance release → the one that reaches zero acquire: all results
// Races      The home shares while the last stolen child ends: both change, one reaches zero.
// Progress   wait-free
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class join_count {
public:
    using height = std::int64_t;

    /// Home, whose deque is so high, before any child is offered to others.
    void begin(height now) noexcept { base_ = now; }
    // Home, before it shares.

    /// Whether it has taken back every child, none of them by a claim.
    [[nodiscard]] bool has_taken_all(height now) const noexcept { return now <= base_; }
    /// The children that it has offered and not taken back.
    [[nodiscard]] height open(height now) const noexcept { return now - base_ - claimed_; }
    /// The same while it is inside a child that awaits `inner`, which began since.
    [[nodiscard]] height open(const join_count& inner) const noexcept { return open(inner.base_); }
    /// It has taken a child back by a claim, which left the deque's height as it was.
    void note_claim(bool is_outermost) noexcept {
        if (mutated<Env>(mutation::join_forgets_a_claim)) return;
        ++(is_outermost ? base_ : claimed_);  // an inner one's base says what the outer's open are
    }
    /// So many children were never offered.
    void note_kept_back(height count) noexcept { claimed_ -= count; }
    /// The last child has ended, and the home goes on inside a child of `outer`.
    void pass_claims_to(join_count& outer) const noexcept {
        if (!mutated<Env>(mutation::join_keeps_its_claims)) outer.claimed_ += claimed_;
    }

    /// Home, once, after it has published whatever the last one needs: hands over the `rest`, those
    /// that it has not run to their end. True: no child is left.
    [[nodiscard]] bool share(height rest) noexcept {
        if (mutated<Env>(mutation::join_forgets_its_own)) ++rest;
        return balance_.fetch_add(rest, std::memory_order_acq_rel) + rest == 0;  // J3
    }
    /// Others, and the home once it has shared: a child has ended. True for the last of all.
    [[nodiscard]] bool count_shared() noexcept {
        return balance_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // J3
    }

private:
    height base_ = 0;     // the deque's, before the first child was offered
    height claimed_ = 0;  // by the home, in this join or inside its children, less those kept back
    typename Env::template atomic<height> balance_{0};  // J3: the offer publishes it
};

}  // namespace weft::detail
