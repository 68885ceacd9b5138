// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many children of a join have not ended. It knows neither children nor workers.
//
// Protocol: join count                               checked by: tests/model/join_model.cpp
// Roles      home (the thread that began the join) · others
// Words      balance: what the home has not counted, from when it shares, less what others have
// Fields     left: home only, until it shares
// Invariants J1 exactly one caller learns that no child is left: the home, if it counted every
//               child locally; else whoever takes `balance` to zero.
//            J2 nobody takes `balance` to zero before the home has shared: until then it only
//               falls, from zero.
// Edges      J3 every change of balance release → the one that reaches zero acquire: all results
// Races      The home shares while the last stolen child ends: both change, one reaches zero.
// Progress   wait-free
#pragma once

#include <atomic>
#include <cstddef>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class join_count {
public:
    /// Home, before any child is offered to others.
    void begin(std::ptrdiff_t children) noexcept { left_ = children; }
    /// Home, before it shares: the children that it has not counted.
    [[nodiscard]] std::ptrdiff_t left() const noexcept { return left_; }
    /// Home, before it shares: a child has ended. True for the last of all.
    [[nodiscard]] bool count_local() noexcept { return --left_ == 0; }
    /// Home, once, after it has published whatever the last one needs: hands over what it has not
    /// counted. True: no child is left.
    [[nodiscard]] bool share() noexcept {
        const std::ptrdiff_t rest = left_ + (mutated<Env>(mutation::join_forgets_its_own) ? 1 : 0);
        return balance_.fetch_add(rest, std::memory_order_acq_rel) + rest == 0;  // J3
    }
    /// Others, and the home once it has shared: a child has ended. True for the last of all.
    [[nodiscard]] bool count_shared() noexcept {
        if (mutated<Env>(mutation::join_counts_locally_for_ever)) return count_local();
        return balance_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // J3
    }

private:
    std::ptrdiff_t left_ = 0;
    typename Env::template atomic<std::ptrdiff_t> balance_{0};  // J3: the offer publishes it
};

}  // namespace weft::detail
