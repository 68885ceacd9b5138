// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather on weft with when_all: the hundred are children in their parent's place, and no tasks.
#include "gather/weft_children.hpp"

#include <numeric>

namespace {

weft::coro<std::uint64_t> together(std::uint64_t first) {
    const auto numbers = co_await weft::when_all(bench::make_children(first));
    co_return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}

}  // namespace

int main(int argc, char** argv) { bench::measure_gather(argc, argv, &together); }
