// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many children of a join have not ended. It knows neither children nor workers: "here" is any
// address that stands for a thread.
//
// Protocol: join count                               checked by: tests/model/join_model.cpp
// Roles      home (the thread that began the join) · others
// Words      remaining: children that nobody has counted here
// Fields     local, shared: home only · home, children: immutable once a child was offered
// Invariants J1 exactly one caller learns that no child is left: the home, if it counted every
//               child locally; else, after the home has shared, whoever takes `remaining` to zero.
//            J2 `remaining` cannot reach zero before the home has shared: until then it lacks what
//               the home has counted, or the child that the home is inside of.
// Edges      J3 remaining decrement release → the last decrement acquire: every child's result
// Races      The home shares while the last stolen child ends: both decrement, one reaches zero.
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
    void begin(const void* home, std::size_t children) noexcept {
        home_ = home;
        children_ = local_ = children;
        remaining_.store(children, std::memory_order_relaxed);  // J3: the offer publishes it
    }
    /// Whether `here`, the calling thread, is a home that has not shared.
    [[nodiscard]] bool is_local(const void* here) const noexcept {
        return home_ == here && (!shared_ || mutated<Env>(mutation::join_counts_locally_for_ever));
    }
    /// Home, while local: a child has ended. True for the last of all.
    [[nodiscard]] bool count_local() noexcept { return --local_ == 0; }
    /// Home, once, after it has published whatever the last one needs: hands in what it has
    /// counted. True: no child is left.
    [[nodiscard]] bool share() noexcept {
        shared_ = true;
        const std::size_t counted = children_ - local_;
        if (counted == 0 || mutated<Env>(mutation::join_forgets_its_own)) return false;
        return remaining_.fetch_sub(counted, std::memory_order_acq_rel) == counted;  // J3
    }
    /// Anybody who is not local: a child has ended. True for the last of all.
    [[nodiscard]] bool count_shared() noexcept {
        return remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // J3
    }

private:
    const void* home_ = nullptr;
    std::size_t children_ = 0;
    std::size_t local_ = 0;  // children that the home has not counted
    typename Env::template atomic<std::size_t> remaining_{0};
    bool shared_ = false;
};

}  // namespace weft::detail
