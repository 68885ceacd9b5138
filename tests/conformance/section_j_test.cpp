// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section J: as_completed.
#include "weft/combine/as_completed.hpp"

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<int> value_after(std::chrono::nanoseconds delay, int value) {
    co_await sleep(delay);
    co_return value;
}

coro<> nothing_and_duplicates() {
    std::size_t count = 0;
    for (auto& ticket : as_completed(std::vector<task<int>>{})) {
        static_cast<void>(ticket);
        ++count;
    }
    CHECK(count == 0);
    task<int> c = create_task(value_after(unit(), 3));
    task<int> d = create_task(value_after(2 * unit(), 4));
    std::vector<task<int>> three{c, c, d};
    std::vector<int> values;
    for (auto& ticket : as_completed(std::move(three))) {
        const int value = co_await ticket;
        values.push_back(value);
    }
    CHECK(values == std::vector<int>{3, 4});
}

coro<> with_a_limit() {
    stopwatch watch;
    task<int> a = create_task(value_after(unit(), 1));
    task<int> b = create_task(value_after(5 * unit(), 2));
    std::vector<task<int>> both{a, b};
    auto results = as_completed(std::move(both), 2 * unit());
    REQUIRE(results.size() == 2);
    const int first = co_await results[0];
    CHECK(first == 1);
    bool expired = false;
    try {
        co_await results[1];
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(watch.elapsed() >= 2 * unit());
    CHECK_FALSE(b.done());
    CHECK(b.cancelling() == 0);
    const int later = co_await b;
    CHECK(later == 2);
}

coro<> tickets_are_interchangeable() {
    std::vector<coro<int>> bodies;
    bodies.push_back(value_after(unit(), 1));
    bodies.push_back(value_after(3 * unit(), 3));
    auto tickets = as_completed(std::move(bodies));
    REQUIRE(tickets.size() == 2);
    const int from_the_second = co_await tickets[1];
    const int from_the_first = co_await tickets[0];
    CHECK(from_the_second == 1);
    CHECK(from_the_first == 3);
}

coro<> leaves_after_the_first() {
    task<int> quick = create_task(value_after(unit(), 1));
    task<int> slow = create_task(value_after(2 * unit(), 2));
    std::vector<task<int>> both{slow, quick};
    int got = 0;
    for (auto& ticket : as_completed(std::move(both))) {
        got = co_await ticket;
        break;
    }
    CHECK(got == 1);
    CHECK_FALSE(slow.done());
    CHECK(slow.cancelling() == 0);
    const int value = co_await slow;
    CHECK(value == 2);
}

}  // namespace

TEST_CASE("C122 as_completed of nothing, and of a task given twice") {
    on_workers(multi,
               [](unsigned workers) { run(nothing_and_duplicates(), {.workers = workers}); });
}

TEST_CASE("C123 as_completed with a time limit cancels nothing") {
    on_workers(multi, [](unsigned workers) { run(with_a_limit(), {.workers = workers}); });
}

TEST_CASE("C125 the ticket awaited first gets the result that comes first") {
    on_workers(multi,
               [](unsigned workers) { run(tickets_are_interchangeable(), {.workers = workers}); });
}

TEST_CASE("C126 leaving as_completed cancels nothing") {
    on_workers(multi,
               [](unsigned workers) { run(leaves_after_the_first(), {.workers = workers}); });
}
