// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timers on weft: a task for every sleep.
#include "timers/workload.hpp"

#include <weft/weft.hpp>

#include <utility>

namespace {

weft::coro<std::int64_t> sleeper(std::chrono::steady_clock::time_point deadline) {
    co_await weft::sleep_until(deadline);
    co_return bench::lateness(deadline);
}

weft::coro<std::vector<std::int64_t>> sleep_all(std::uint64_t size) {
    std::vector<weft::task<std::int64_t>> tasks;
    tasks.reserve(size);
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < size; ++i) {
        tasks.push_back(weft::create_task(sleeper(bench::deadline_of(start, i, size))));
    }
    std::vector<std::int64_t> late;
    late.reserve(size);
    for (weft::task<std::int64_t>& task : tasks) late.push_back(co_await std::move(task));
    co_return late;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    for (unsigned repetition = 0; repetition < given.repeat; ++repetition) {
        bench::report_lateness(runtime.block_on(sleep_all(given.size)));
    }
}
