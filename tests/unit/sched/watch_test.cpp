// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The watch that one idle worker keeps while a peer is busy: it ends when nobody is.
#include "weft/runtime.hpp"

#include "support/catch.hpp"
#include "support/runtime_case.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// How often workers went to sleep while nothing but one timer was there.
coro<std::uint64_t> parks_while_idle(runtime& here) {
    co_await sleep(unit());  // both workers have run and wake up for the timer
    std::uint64_t before = here.statistics().parks;
    co_await sleep(10 * unit());
    co_return here.statistics().parks - before;
}

}  // namespace

TEST_CASE("workers that watched a busy peer sleep on once nobody is busy") {
    on_workers({2, 4}, [](unsigned workers) {
        runtime idle{{.workers = workers}};
        std::uint64_t parks = idle.block_on(parks_while_idle(idle));
        INFO(parks << " parks");
        // Each worker's watch ends within milliseconds. One that never ends has a park in each 4 ms
        // and more.
        CHECK(parks < static_cast<std::uint64_t>(10 * unit().count() / 8));
    });
}
