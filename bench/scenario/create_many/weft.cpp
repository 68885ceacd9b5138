// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// create_many on weft: creates every task first, then awaits them in order.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <utility>
#include <vector>

namespace {

weft::coro<std::uint64_t> number(std::uint64_t i) { co_return i; }

weft::coro<std::uint64_t> create_many(std::uint64_t size) {
    std::vector<weft::task<std::uint64_t>> tasks;
    tasks.reserve(size);
    for (std::uint64_t i = 0; i < size; ++i) tasks.push_back(weft::create_task(number(i)));
    std::uint64_t sum = 0;
    for (weft::task<std::uint64_t>& task : tasks) sum += co_await std::move(task);
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(create_many(given.size)); });
}
