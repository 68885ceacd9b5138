// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// hogs on weft: a task for every sleep and every hog.
#include "hogs/workload.hpp"

#include <weft/weft.hpp>

#include <utility>

namespace {

using time_point = std::chrono::steady_clock::time_point;

weft::coro<std::int64_t> sleeper(time_point deadline) {
    co_await weft::sleep_until(deadline);
    co_return bench::lateness(deadline);
}

weft::coro<void> computes(time_point begin) {
    co_await weft::sleep_until(begin);
    bench::compute_until(begin + bench::kept);
}

weft::coro<void> blocks(time_point begin, const bench::blocking_pipe& pipe) {
    co_await weft::sleep_until(begin);
    pipe.read();
}

weft::coro<std::vector<std::int64_t>> sleep_all(std::uint64_t size, unsigned hogs) {
    const auto start = std::chrono::steady_clock::now();
    const auto begin = start + bench::head_start;
    const bench::blocking_pipe pipe(begin + bench::kept, hogs - 1);
    std::vector<weft::task<std::int64_t>> tasks;
    tasks.reserve(size);
    for (std::uint64_t i = 0; i < size; ++i) {
        tasks.push_back(weft::create_task(sleeper(bench::deadline_of(start, i, size))));
    }
    std::vector<weft::task<void>> keepers;
    keepers.push_back(weft::create_task(computes(begin)));
    for (unsigned i = 1; i < hogs; ++i) keepers.push_back(weft::create_task(blocks(begin, pipe)));
    std::vector<std::int64_t> late;
    late.reserve(size);
    for (weft::task<std::int64_t>& task : tasks) late.push_back(co_await std::move(task));
    for (weft::task<void>& keeper : keepers) co_await keeper;
    co_return late;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers, .slow_run = std::chrono::nanoseconds{0}});
    for (unsigned repetition = 0; repetition < given.repeat; ++repetition) {
        bench::report_lateness(runtime.block_on(sleep_all(given.size, given.workers)));
    }
}
