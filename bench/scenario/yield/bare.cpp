// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// yield on a bare loop: 200 coroutines that share out the yields.
#include "contract/bare_loop.hpp"
#include "contract/contract.hpp"
#include "yield/workload.hpp"

#include <vector>

namespace {

bench::bare_task yield_times(std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) co_await bench::bare_yield();
    co_return times;
}

bench::bare_task body(std::uint64_t size) {
    std::vector<bench::bare_task> tasks;
    for (std::uint64_t i = 0; i < bench::yielding_tasks; ++i) {
        tasks.push_back(yield_times(size / bench::yielding_tasks));
    }
    std::uint64_t total = 0;
    for (bench::bare_task& task : tasks) total += co_await task;
    co_return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    bench::measure_per_operation(given, given.size,
                                 [&] { return bench::run_bare(body(given.size)); });
}
