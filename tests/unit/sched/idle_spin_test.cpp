// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/weft.hpp"

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

namespace {

coro<> naps(int count) {
    for (int i = 0; i < count; ++i) co_await sleep(200us);
}

/// Times that the only worker slept in the kernel during twenty naps.
std::uint64_t parks_of_naps(runtime& one) {
    const std::uint64_t before = one.statistics().parks;
    one.block_on(naps(20));
    return one.statistics().parks - before;
}

}  // namespace

TEST_CASE("a worker whose waits are short looks around instead of sleeping", "[sched]") {
    leak_check clean;
    runtime one{{.workers = 1, .idle_spin = 1ms}};
    // Whoever takes the core away makes it sleep: so the best of many.
    std::uint64_t fewest = parks_of_naps(one);
    for (int i = 0; i < 500 && fewest > 2; ++i) fewest = std::min(fewest, parks_of_naps(one));
    CHECK(fewest <= 2);
}

TEST_CASE("without an idle spin each wait is slept", "[sched]") {
    leak_check clean;
    runtime one{{.workers = 1, .idle_spin = 0ns}};
    for (int i = 0; i < 5; ++i) CHECK(parks_of_naps(one) >= 10);
}

TEST_CASE("idle_spin has bounds", "[sched]") {
    CHECK_THROWS_AS(runtime({.workers = 1, .idle_spin = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(runtime({.workers = 1, .idle_spin = 2ms}), std::invalid_argument);
}
