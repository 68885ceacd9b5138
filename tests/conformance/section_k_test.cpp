// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section K: shield, and C216, which lives on it.
#include "weft/combine/shield.hpp"

#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<int> value_when_open(gate& started, gate& g, int value) {
    started.open();
    co_await g;
    co_return value;
}

coro<> awaits_shielded(task<int> inner, gate& begun) {
    begun.open();
    co_await shield(inner);
}

coro<> stops_a_cancellation() {
    gate started, begun, go;
    task<int> inner = create_task(value_when_open(started, go, 5));
    task<> outer = create_task(awaits_shielded(inner, begun));
    co_await started;
    co_await begun;
    CHECK(outer.cancel());
    co_await ended(outer);
    CHECK(outer.cancelled());
    CHECK_FALSE(inner.done());
    CHECK(inner.cancelling() == 0);
    go.open();
    const int value = co_await inner;
    CHECK(value == 5);
}

coro<int> throws_domain_error() {
    co_await yield();
    throw std::domain_error("inner");
}

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> passes_outcomes_through(event_log& log) {
    gate started, go;
    task<int> inner = create_task(value_when_open(started, go, 42));
    go.open();
    const int value = co_await shield(inner);
    CHECK(value == 42);

    std::string what;
    task<int> failing = create_task(throws_domain_error());
    try {
        co_await shield(failing);
    } catch (const std::domain_error& e) {
        what = e.what();
    }
    CHECK(what == "inner");

    gate started_too, never;
    task<int> stopped = create_task(value_when_open(started_too, never, 0));
    co_await started_too;
    stopped.cancel("by another");
    std::string reason;
    try {
        co_await shield(stopped);
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "by another");
    CHECK(current_task().cancelling() == 0);

    task<> other = create_task(logs(log, "other"));
    const int again = co_await shield(inner);
    if (log.lines().empty()) log.add("did not suspend");
    CHECK(again == 42);
    co_await other;
}

coro<> sleeps_far(gate& started) {
    started.open();
    co_await sleep(far);
}

coro<> shields_for_ever(task<> inner) { co_await shield(inner); }

coro<task<>> leaves_a_shielded_task(gate& started) {
    task<> inner = create_task(sleeps_far(started));
    create_task(shields_for_ever(inner));
    co_await started;
    co_return inner;
}

template <class Awaitable>
coro<> awaits(Awaitable operation, gate& begun) {
    begun.open();
    co_await std::move(operation);
}

coro<> gathers_shields() {
    gate s1, s2, begun, go;
    task<int> c1 = create_task(value_when_open(s1, go, 1));
    task<int> c2 = create_task(value_when_open(s2, go, 2));
    task<> outer = create_task(awaits(gather(shield(c1), shield(c2)), begun));
    co_await s1;
    co_await s2;
    co_await begun;
    CHECK(outer.cancel());
    co_await ended(outer);
    CHECK(outer.cancelled());
    CHECK_FALSE(c1.done());
    CHECK_FALSE(c2.done());
    go.open();
    const int first = co_await c1;
    const int second = co_await c2;
    CHECK(first == 1);
    CHECK(second == 2);
}

coro<> shields_a_gather() {
    gate s1, s2, begun, go;
    std::vector<task<int>> children;
    children.push_back(create_task(value_when_open(s1, go, 1)));
    children.push_back(create_task(value_when_open(s2, go, 2)));
    auto both = gather(children);
    const gather_handle handle = both.handle();
    task<> outer = create_task(awaits(shield(std::move(both)), begun));
    co_await s1;
    co_await s2;
    co_await begun;
    CHECK(outer.cancel());
    co_await ended(outer);
    CHECK(outer.cancelled());
    CHECK_FALSE(handle.done());
    go.open();
    while (!handle.done()) co_await yield();
    CHECK(handle.exception() == nullptr);
    CHECK(children[0].result() == 1);
    CHECK(children[1].result() == 2);
}

coro<std::vector<int>> collects(std::vector<task<int>> children) {
    co_return co_await gather(std::move(children));
}

coro<> awaits_values(task<std::vector<int>> all, gate& begun) {
    begun.open();
    co_await shield(all);
}

coro<> shields_a_task_that_gathers() {
    gate s1, s2, begun, go;
    std::vector<task<int>> children;
    children.push_back(create_task(value_when_open(s1, go, 1)));
    children.push_back(create_task(value_when_open(s2, go, 2)));
    task<std::vector<int>> all = create_task(collects(children));
    task<> outer = create_task(awaits_values(all, begun));
    co_await begun;
    CHECK(outer.cancel());
    co_await ended(outer);
    CHECK(outer.cancelled());
    go.open();
    const std::vector<int> values = co_await all;
    CHECK(values == std::vector<int>{1, 2});
}

// C216 -----------------------------------------------------------------------------------------

coro<std::string> fetches(int page, gate& go, event_log& log) {
    if (page != 0) co_await go;
    log.add("fetched " + std::to_string(page));
    co_return "page " + std::to_string(page);
}

coro<> stores(std::string page, event_log& log) {
    co_await yield();
    log.add("stored " + page);
}

coro<> consumes(std::vector<task<std::string>> tasks, gate& in_the_middle, event_log& log) {
    bool first = true;
    for (auto& ticket : as_completed(std::move(tasks))) {
        const std::string raw = co_await shield(std::move(ticket));
        co_await stores(raw, log);
        if (std::exchange(first, false)) in_the_middle.open();
    }
}

coro<> cancels_the_consumer(event_log& log) {
    gate go, in_the_middle;
    std::vector<task<std::string>> tasks;
    for (int page = 0; page < 4; ++page) tasks.push_back(create_task(fetches(page, go, log)));
    task<> consumer = create_task(consumes(tasks, in_the_middle, log));
    co_await in_the_middle;
    CHECK(consumer.cancel());
    co_await ended(consumer);
    CHECK(consumer.cancelled());
    for (auto& t : tasks) CHECK(t.cancelling() == 0);
    go.open();
    for (auto& t : tasks) co_await ended(t);
    for (auto& t : tasks) CHECK(outcome_of(t) == "value");
    CHECK(log.count("stored page 0") == 1);
    CHECK(log.count("fetched 3") == 1);
}

}  // namespace

TEST_CASE("C128 shield stops a cancellation") {
    on_workers(multi, [](unsigned workers) { run(stops_a_cancellation(), {.workers = workers}); });
}

TEST_CASE("C129 shield passes outcomes through") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(passes_outcomes_through(log), {.workers = workers});
        if (workers == 1) {
            CHECK(log.lines() == std::vector<std::string>{"did not suspend", "other"});
        }
    });
}

TEST_CASE("C131 shield does not protect from shutdown") {
    on_workers(multi, [](unsigned workers) {
        gate started;
        stopwatch watch;
        const task<> inner = run(leaves_a_shielded_task(started), {.workers = workers});
        CHECK(inner.cancelled());
        CHECK(watch.elapsed() < soon);
    });
}

TEST_CASE("C132 gather of shields, and shield of a gather") {
    on_workers(multi, [](unsigned workers) {
        run(gathers_shields(), {.workers = workers});
        run(shields_a_gather(), {.workers = workers});
        run(shields_a_task_that_gathers(), {.workers = workers});
    });
}

TEST_CASE("C216 a consumer of shielded results is cancelled, what it fetches is not") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancels_the_consumer(log), {.workers = workers});
    });
}
