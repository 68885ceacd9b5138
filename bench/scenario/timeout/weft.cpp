// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timeout on weft: a timeout of ten seconds around one yield.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <chrono>

namespace {

weft::coro<std::uint64_t> suspend_once(std::uint64_t i) {
    co_await weft::yield();
    co_return i;
}

weft::coro<std::uint64_t> limited(std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
        sum += co_await weft::with_timeout(std::chrono::seconds(10), suspend_once(i));
    }
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(limited(given.size)); });
}
