// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/when_any.hpp"

namespace weft::detail {

void when_any_scope::child_ended(std::size_t index, const std::exception_ptr* error,
                                 promise_base& runner) noexcept {
    if (first() == none && (error == nullptr || !is_cancellation(*error))) {
        std::size_t open = none;
        first_.compare_exchange_strong(open, index, std::memory_order_relaxed,  // a claim
                                       std::memory_order_relaxed);              // a claim
    }
    decide(runner);
}

std::size_t when_any_scope::end_with_first() {
    const std::size_t which = first();
    if (which == none)
        end_undecided();
    else
        end_decided();
    return which;
}

}  // namespace weft::detail
