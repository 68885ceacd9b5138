// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// create_await on weft: creates a task that returns its number, awaits it, creates the next.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

namespace {

weft::coro<std::uint64_t> number(std::uint64_t i) { co_return i; }

weft::coro<std::uint64_t> create_await(std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
        sum += co_await weft::create_task(number(i));
    }
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(create_await(given.size)); });
}
