// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// nqueens on weft: the children of a node in one when_all, which allocates nothing for them.
#include "nqueens/workload.hpp"

#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <array>
#include <cstddef>

namespace {

weft::coro<> place(bench::board queens, std::size_t row, std::size_t n, std::uint64_t& total) {
    if (row == n) {
        total = 1;
        co_return;
    }
    std::array<std::uint64_t, bench::max_queens> counts{};
    weft::inplace_vector<weft::coro<>, bench::max_queens> children;
    for (std::size_t column = 0; column < n; ++column) {
        if (!bench::is_safe(queens, row, column)) continue;
        children.push_back(
            place(bench::with_queen(queens, row, column), row + 1, n, counts[column]));
    }
    co_await weft::when_all(children);
    for (const std::uint64_t count : counts) total += count;
}

weft::coro<std::uint64_t> solutions(std::size_t n) {
    std::uint64_t total = 0;
    co_await place(bench::board{}, 0, n, total);
    co_return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_whole(given, [&] { return runtime.block_on(solutions(given.size)); });
}
