// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What weft's ways to await a hundred children have in common.
#pragma once

#include "contract/contract.hpp"

#include "gather/workload.hpp"

#include <weft/weft.hpp>

#include <cstdint>
#include <vector>

namespace bench {

inline weft::coro<std::uint64_t> child(std::uint64_t i) {
    co_await weft::yield();
    co_return i;
}

inline std::vector<weft::coro<std::uint64_t>> make_children(std::uint64_t first) {
    std::vector<weft::coro<std::uint64_t>> children;
    children.reserve(gather_width);
    for (std::uint64_t i = 0; i < gather_width; ++i) children.push_back(child(first + i));
    return children;
}

/// Awaits the hundred that begin with the given one, and adds up what they give.
using way_to_await = weft::coro<std::uint64_t> (*)(std::uint64_t first);

inline weft::coro<std::uint64_t> await_all(way_to_await together, std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; i += gather_width) sum += co_await together(i);
    co_return sum;
}

inline void measure_gather(int argc, char** argv, way_to_await together) {
    const arguments given = parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    measure_per_operation(given, given.size,
                          [&] { return runtime.block_on(await_all(together, given.size)); });
}

}  // namespace bench
