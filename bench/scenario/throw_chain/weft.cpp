// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// throw_chain on weft: an exception through nested coroutines of one task.
#include "contract/contract.hpp"

#include "throw_chain/workload.hpp"

#include <weft/weft.hpp>

#include <stdexcept>

namespace {

weft::coro<std::uint64_t> level(std::uint64_t depth) {
    if (depth == 0) throw std::runtime_error("from below");
    const std::uint64_t below = co_await level(depth - 1);
    co_return below + 1;
}

weft::coro<std::uint64_t> throws(std::uint64_t depth) {
    std::uint64_t levels = 0;
    while (levels < bench::thrown_levels) {
        try {
            levels += co_await level(depth);
        } catch (const std::runtime_error&) {
            levels += depth;
        }
    }
    co_return levels;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, bench::thrown_levels,
                                 [&] { return runtime.block_on(throws(given.size)); });
}
