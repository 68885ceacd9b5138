// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How many hold an object on the heap; the last of them deletes it.
//
// Protocol: holders                                    checked by: tests/model/dual_queue_model.cpp
// Roles      holder (any thread)
// Word       the number of holders
// Edges      H1 drop release → last drop acquire: every use is before the deletion
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class reference_count {
public:
    /// By a holder, for others.
    void add(std::uint32_t holders = 1) noexcept {
        count_.fetch_add(holders, std::memory_order_relaxed);  // H1: it publishes nothing
    }
    /// True for the last.
    [[nodiscard]] bool drop() noexcept {
        const auto order = order_unless<Env>(mutation::reference_dropped_relaxed,
                                             std::memory_order_acq_rel);  // H1
        return count_.fetch_sub(1, order) == 1;
    }

private:
    typename Env::template atomic<std::uint32_t> count_{1};
};

}  // namespace weft::detail
