// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather on weft with a task_group: a hundred tasks that end before the group does.
#include "contract/contract.hpp"

#include "gather/workload.hpp"

#include <weft/weft.hpp>

#include <utility>
#include <vector>

namespace {

using number_task = weft::task<std::uint64_t>;

weft::coro<std::uint64_t> child(std::uint64_t i) {
    co_await weft::yield();
    co_return i;
}

weft::coro<std::vector<number_task>> create_all(weft::task_group& group, std::uint64_t first) {
    std::vector<number_task> tasks;
    tasks.reserve(bench::gather_width);
    for (std::uint64_t i = 0; i < bench::gather_width; ++i) {
        tasks.push_back(group.create_task(child(first + i)));
    }
    co_return tasks;
}

weft::coro<std::uint64_t> together(std::uint64_t first) {
    const std::vector<number_task> tasks = co_await weft::task_group::run(&create_all, first);
    std::uint64_t sum = 0;
    for (const number_task& each : tasks) sum += each.result();
    co_return sum;
}

weft::coro<std::uint64_t> all(std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; i += bench::gather_width) sum += co_await together(i);
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(all(given.size)); });
}
