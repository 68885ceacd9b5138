// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// yield on weft: 200 tasks that share out the yields.
#include "yield/workload.hpp"

#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <vector>

namespace {

weft::coro<std::uint64_t> yield_times(std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) co_await weft::yield();
    co_return times;
}

weft::coro<std::uint64_t> share_out(std::uint64_t size) {
    std::vector<weft::task<std::uint64_t>> tasks;
    for (std::uint64_t i = 0; i < bench::yielding_tasks; ++i) {
        tasks.push_back(weft::create_task(yield_times(size / bench::yielding_tasks)));
    }
    std::uint64_t total = 0;
    for (weft::task<std::uint64_t>& task : tasks) total += co_await task;
    co_return total;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(share_out(given.size)); });
}
