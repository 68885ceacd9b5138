// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather on weft with a task_group: a hundred tasks that end before the group does.
#include "gather/weft_children.hpp"

#include <vector>

namespace {

using number_task = weft::task<std::uint64_t>;

weft::coro<std::vector<number_task>> create_all(weft::task_group& group, std::uint64_t first) {
    std::vector<number_task> tasks;
    tasks.reserve(bench::gather_width);
    for (std::uint64_t i = 0; i < bench::gather_width; ++i) {
        tasks.push_back(group.create_task(bench::child(first + i)));
    }
    co_return tasks;
}

weft::coro<std::uint64_t> together(std::uint64_t first) {
    const std::vector<number_task> tasks = co_await weft::task_group::run(&create_all, first);
    std::uint64_t sum = 0;
    for (const number_task& each : tasks) sum += each.result();
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) { bench::measure_gather(argc, argv, &together); }
