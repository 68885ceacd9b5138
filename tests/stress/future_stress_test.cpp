// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two producers against a canceller and two tasks that wait: one of the three decides, and all see
// the same.

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/weft.hpp"

namespace {

using outcome = std::vector<int>;

constexpr int cancelled = -1;
constexpr int failed = -2;

weft::coro<int> seen_by_one(weft::future<outcome> f) {
    try {
        const outcome& value = co_await f;
        co_return value.front();
    } catch (const weft::cancelled&) {
        co_return cancelled;
    } catch (const std::runtime_error&) {
        co_return failed;
    }
}

weft::coro<bool> produce(const weft::promise<outcome>& p, int value) {
    co_return p.try_set_result(outcome{value});
}

weft::coro<bool> fail(const weft::promise<outcome>& p) {
    co_return p.try_set_exception(std::make_exception_ptr(std::runtime_error("failed")));
}

weft::coro<bool> cancel(weft::future<outcome> f) { co_return f.cancel("race"); }

/// How many of a round's answers do not fit together.
weft::coro<std::uint64_t> round(std::uint64_t i) {
    weft::promise<outcome> p;
    weft::future<outcome> f = p.get_future();
    std::atomic<int> called{0};
    if (i % 4 == 0) f.add_done_callback([&called](weft::future<outcome>) { ++called; });
    auto one = weft::create_task(seen_by_one(f));
    auto other = weft::create_task(seen_by_one(f));
    if (i % 3 == 0) co_await weft::yield();
    auto first = weft::create_task(produce(p, 1));
    auto second = weft::create_task(i % 2 == 0 ? produce(p, 2) : fail(p));
    auto third = weft::create_task(cancel(f));
    const bool first_won = co_await first;
    const bool second_won = co_await second;
    const bool third_won = co_await third;
    const int seen = co_await one;
    const int seen_too = co_await other;
    while (i % 4 == 0 && called.load() == 0) co_await weft::yield();
    const int expected = first_won ? 1 : second_won ? (i % 2 == 0 ? 2 : failed) : cancelled;
    const bool one_won = (first_won ? 1 : 0) + (second_won ? 1 : 0) + (third_won ? 1 : 0) == 1;
    co_return one_won&& seen == expected&& seen_too == expected ? 0 : 1;
}

weft::coro<std::uint64_t> rounds(std::uint64_t count) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) wrong += co_await round(i);
    co_return wrong;
}

/// Both ends are locals of the one that waits: they go while the producer is still in its call.
weft::coro<int> waits_for_a_local(int value) {
    weft::promise<int> p;
    weft::call_soon([&p, value] { p.set_result(value); });
    co_return co_await p.get_future();
}

weft::coro<std::uint64_t> waits_for_locals(std::uint64_t count) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        auto one = weft::create_task(waits_for_a_local(1));
        auto other = weft::create_task(waits_for_a_local(2));
        wrong += co_await one + co_await other == 3 ? 0 : 1;
    }
    co_return wrong;
}

}  // namespace

TEST_CASE("a future has the outcome of the one that decided it", "[stress]") {
    const std::uint64_t wrong =
        weft::run(rounds(weft::test::stress_iterations(20'000)), {.workers = 4});
    CHECK(wrong == 0);
}

TEST_CASE("a promise may go as soon as its future is done", "[stress]") {
    const std::uint64_t wrong =
        weft::run(waits_for_locals(weft::test::stress_iterations(5'000)), {.workers = 4});
    CHECK(wrong == 0);
}
