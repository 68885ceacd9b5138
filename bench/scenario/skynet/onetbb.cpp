// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// skynet on oneTBB: nine children in a task group, the tenth in the caller.
#include "contract/contract.hpp"

#include <array>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {

std::uint64_t skynet(std::uint64_t first, std::uint64_t leaves) {
    if (leaves == 1) return first;
    const std::uint64_t share = leaves / 10;
    std::array<std::uint64_t, 10> sums{};
    tbb::task_group group;
    for (std::uint64_t i = 0; i < 9; ++i) {
        group.run([&sums, first, share, i] { sums[i] = skynet(first + i * share, share); });
    }
    sums[9] = skynet(first + 9 * share, share);
    group.wait();
    std::uint64_t total = 0;
    for (const std::uint64_t sum : sums) total += sum;
    return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, given.workers);
    tbb::task_arena arena(static_cast<int>(given.workers));
    bench::measure_per_operation(
        given, given.size, [&] { return arena.execute([&] { return skynet(0, given.size); }); });
}
