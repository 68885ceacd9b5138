// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// create_many on a bare loop: creates every frame first, then awaits them in order.
#include "contract/bare_loop.hpp"
#include "contract/contract.hpp"

#include <vector>

namespace {

bench::bare_task number(std::uint64_t i) { co_return i; }

bench::bare_task body(std::uint64_t size) {
    std::vector<bench::bare_task> tasks;
    tasks.reserve(size);
    for (std::uint64_t i = 0; i < size; ++i) tasks.push_back(number(i));
    std::uint64_t sum = 0;
    for (bench::bare_task& task : tasks) sum += co_await task;
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    bench::measure_per_operation(given, given.size,
                                 [&] { return bench::run_bare(body(given.size)); });
}
