// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// fib on weft: both branches are children of one when_all.
#include "fib/workload.hpp"

#include "contract/contract.hpp"

#include <weft/weft.hpp>

namespace {

weft::coro<std::uint64_t> fib(std::uint64_t n) {
    if (n < 2) co_return n;
    auto [left, right] = co_await weft::when_all(fib(n - 1), fib(n - 2));
    co_return left + right;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, bench::fib_calls(given.size),
                                 [&] { return runtime.block_on(fib(given.size)); });
}
