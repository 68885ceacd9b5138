// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// fib on oneTBB: one branch runs in a task group, the other in the caller.
#include "fib/workload.hpp"

#include "contract/contract.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {

std::uint64_t fib(std::uint64_t n) {
    if (n < 2) return n;
    std::uint64_t left = 0;
    tbb::task_group group;
    group.run([&left, n] { left = fib(n - 1); });
    const std::uint64_t right = fib(n - 2);
    group.wait();
    return left + right;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, given.workers);
    tbb::task_arena arena(static_cast<int>(given.workers));
    bench::measure_per_operation(given, bench::fib_calls(given.size),
                                 [&] { return arena.execute([&] { return fib(given.size); }); });
}
