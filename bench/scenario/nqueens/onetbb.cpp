// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// nqueens on oneTBB: the children of a node in one task group.
#include "nqueens/workload.hpp"

#include "contract/contract.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {

std::uint64_t place(const bench::board& queens, std::size_t row, std::size_t n) {
    if (row == n) return 1;
    std::array<std::uint64_t, bench::max_queens> counts{};
    tbb::task_group group;
    for (std::size_t column = 0; column < n; ++column) {
        if (!bench::is_safe(queens, row, column)) continue;
        group.run([&counts, next = bench::with_queen(queens, row, column), row, column, n] {
            counts[column] = place(next, row + 1, n);
        });
    }
    group.wait();
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts) total += count;
    return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, given.workers);
    tbb::task_arena arena(static_cast<int>(given.workers));
    bench::measure_whole(
        given, [&] { return arena.execute([&] { return place(bench::board{}, 0, given.size); }); });
}
