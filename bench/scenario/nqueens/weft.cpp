// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// nqueens on weft: the children of a node in one when_all over a vector.
#include "nqueens/workload.hpp"

#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <utility>
#include <vector>

namespace {

weft::coro<std::uint64_t> place(bench::board queens, std::size_t row, std::size_t n) {
    if (row == n) co_return 1;
    std::vector<weft::coro<std::uint64_t>> children;
    children.reserve(n);
    for (std::size_t column = 0; column < n; ++column) {
        if (!bench::is_safe(queens, row, column)) continue;
        children.push_back(place(bench::with_queen(queens, row, column), row + 1, n));
    }
    std::uint64_t total = 0;
    for (const std::uint64_t count : co_await weft::when_all(std::move(children))) total += count;
    co_return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_whole(given,
                         [&] { return runtime.block_on(place(bench::board{}, 0, given.size)); });
}
