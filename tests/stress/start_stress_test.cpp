// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Eager starts while others resume, cancel and await what was started; and last handles that are
// dropped while their task ends.

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/weft.hpp"

namespace {

constexpr weft::task_options eager{.start = weft::start_policy::eager};

weft::coro<int> leaf(int kind) {
    if (kind % 2 == 0) co_await weft::yield();
    if (kind % 5 == 0) co_await weft::sleep(std::chrono::microseconds{kind});
    co_return 1;
}

/// Suspends in all kinds of places, so that another worker often goes on with it.
weft::coro<int> branch(int kind, int depth) {
    if (depth == 0) co_return co_await leaf(kind);
    weft::task<int> inside = weft::create_task(branch(kind + 1, depth - 1), eager);
    weft::task<int> queued = weft::create_task(leaf(kind));
    int sum = 0;
    if (kind % 3 == 0) {
        auto [a, b] = co_await weft::when_all(leaf(kind), leaf(kind + 1));
        sum += a + b - 2;
    }
    if (kind % 4 == 0) {
        auto [a, b] = co_await weft::gather(leaf(kind), leaf(kind + 1));
        sum += a + b - 2;
    }
    sum += co_await inside;
    sum += co_await queued;
    co_return sum;
}

weft::coro<> cancels(weft::any_task target) {
    target.cancel("race");
    co_return;
}

weft::coro<std::uint64_t> grows(std::size_t rounds) {
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
        const int kind = static_cast<int>(i % 60);
        weft::task<int> whole = weft::create_task(branch(kind, 4), eager);
        weft::task<int> stopped = weft::create_task(branch(kind, 3), eager);
        weft::task<> canceller =
            weft::create_task(cancels(stopped), i % 2 == 0 ? eager : weft::task_options{});
        const int sum = co_await whole;
        if (sum != 5) ++wrong;
        co_await canceller;
        try {
            const int also = co_await stopped;
            if (also != 4) ++wrong;
        } catch (const weft::cancelled&) {
            if (!stopped.cancelled()) ++wrong;
        }
    }
    co_return wrong;
}

weft::coro<> ends_soon(int turns, std::atomic<std::size_t>& ends, std::atomic<std::size_t>& stops) {
    try {
        for (int i = 0; i < turns; ++i) co_await weft::yield();
        co_await weft::sleep(std::chrono::microseconds{turns});
    } catch (const weft::cancelled&) {
        ++stops;
    }
    ++ends;
}

/// Each task loses its handles on two threads while it ends.
void drop_while_it_ends(weft::runtime& r, std::size_t rounds) {
    std::atomic<std::size_t> ends{0};
    std::atomic<std::size_t> stops{0};
    std::atomic<std::size_t> called{0};
    std::vector<weft::task<>> mine;
    std::vector<weft::task<>> others;
    for (std::size_t i = 0; i < rounds; ++i) {
        const auto turns = static_cast<int>(i % 7);
        mine.push_back(
            r.spawn(ends_soon(turns, ends, stops), {.on_drop = weft::drop_policy::cancel}));
        others.push_back(mine.back());
        mine.back().add_done_callback([&called](weft::any_task) { ++called; });
    }
    std::thread other{[&others] { others.clear(); }};
    for (weft::task<>& t : mine) t = {};
    other.join();
    while (called != rounds) std::this_thread::yield();
    CHECK(ends <= rounds);
    CHECK(stops <= ends);
}

}  // namespace

TEST_CASE("eager starts race with those who resume, await and cancel what was started") {
    for (unsigned workers : {1u, 2u, 4u}) {
        CHECK(weft::run(grows(weft::test::stress_iterations(500)), {.workers = workers}) == 0);
    }
}

TEST_CASE("last handles are dropped while their task ends") {
    for (unsigned workers : {1u, 2u, 4u}) {
        weft::runtime r{{.workers = workers}};
        for (int i = 0; i < 5; ++i) drop_while_it_ends(r, weft::test::stress_iterations(200));
    }
}
