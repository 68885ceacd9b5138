// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// chained_spawn on weft: each task creates the next and ends; the last one ends a sleep that the
// first waits for.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <chrono>

namespace {

struct chain {
    std::uint64_t passed = 0;
    weft::task<void> sleeper;
};

weft::coro<void> sleep_until_cancelled() { co_await weft::sleep(std::chrono::hours(1)); }

weft::coro<void> link(chain& whole, std::uint64_t left) {
    if (left == 0) {
        whole.sleeper.cancel();
    } else {
        ++whole.passed;
        weft::create_task(link(whole, left - 1));
    }
    co_return;
}

weft::coro<std::uint64_t> chained_spawn(std::uint64_t size) {
    chain whole{0, weft::create_task(sleep_until_cancelled())};
    weft::create_task(link(whole, size));
    try {
        co_await whole.sleeper;
    } catch (const weft::cancelled&) {
        // The last link was reached.
    }
    co_return whole.passed;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(chained_spawn(given.size)); });
}
