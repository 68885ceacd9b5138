// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather on weft: a hundred coroutines become tasks, and are awaited together.
#include "contract/contract.hpp"

#include "gather/workload.hpp"

#include <weft/weft.hpp>

#include <utility>
#include <vector>

namespace {

weft::coro<std::uint64_t> child(std::uint64_t i) {
    co_await weft::yield();
    co_return i;
}

weft::coro<std::uint64_t> together(std::uint64_t first) {
    std::vector<weft::coro<std::uint64_t>> children;
    children.reserve(bench::gather_width);
    for (std::uint64_t i = 0; i < bench::gather_width; ++i) children.push_back(child(first + i));
    const auto numbers = co_await weft::gather(std::move(children));
    std::uint64_t sum = 0;
    for (std::uint64_t number : numbers) sum += number;
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
