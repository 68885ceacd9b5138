// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// nqueens on libfork: a fork for each child of a node.
#include "nqueens/workload.hpp"

#include "contract/contract.hpp"

#include <libfork/core.hpp>
#include <libfork/schedule.hpp>

namespace {

inline constexpr auto place = [](auto self, bench::board queens, std::size_t row,
                                 std::size_t n) -> lf::task<std::uint64_t> {
    if (row == n) co_return 1;
    std::array<std::uint64_t, bench::max_queens> counts{};
    for (std::size_t column = 0; column < n; ++column) {
        if (!bench::is_safe(queens, row, column)) continue;
        co_await lf::fork[&counts[column], self](bench::with_queen(queens, row, column), row + 1,
                                                 n);
    }
    co_await lf::join;
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts) total += count;
    co_return total;
};

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    lf::lazy_pool pool(given.workers);
    bench::measure_whole(given, [&] {
        return lf::sync_wait(pool, place, bench::board{}, std::size_t{0}, given.size);
    });
}
