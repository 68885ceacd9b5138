// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// fib(n) by the recursion, with a fork at every call and no cut-off: nothing but the cost of a
// fork.
#pragma once

#include <cstdint>

namespace bench {

/// How many calls fib(n) makes, itself included: 2 fib(n + 1) - 1.
constexpr std::uint64_t fib_calls(std::uint64_t n) {
    std::uint64_t current = 0;
    std::uint64_t next = 1;
    for (std::uint64_t i = 0; i <= n; ++i) {
        const std::uint64_t sum = current + next;
        current = next;
        next = sum;
    }
    return 2 * current - 1;
}

}  // namespace bench
