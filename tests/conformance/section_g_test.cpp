// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section G: wait.
#include "weft/combine/wait.hpp"

#include <stdexcept>

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

coro<int> throws_after(std::chrono::nanoseconds delay) {
    co_await sleep(delay);
    throw std::domain_error("thrown");
}

coro<int> sleeps_far(gate& started) {
    started.open();
    co_await sleep(far);
    co_return 0;
}

coro<> waits_for_all_outcomes() {
    gate started;
    task<int> ok = create_task(value_after(unit(), 1));
    task<int> bad = create_task(throws_after(unit()));
    task<int> stopped = create_task(sleeps_far(started));
    co_await started;
    stopped.cancel();
    std::vector<task<int>> all{ok, bad, stopped};
    auto [done, pending] = co_await wait(std::move(all));
    CHECK(done == std::vector<task<int>>{ok, bad, stopped});
    CHECK(pending.empty());
    CHECK(outcome_of(ok) == "value");
    CHECK(outcome_of(bad) == "thrown");
    CHECK(outcome_of(stopped) == "cancelled");
}

coro<> waits_for_the_first() {
    gate started;
    stopwatch watch;
    task<int> a = create_task(value_after(unit(), 1));
    task<int> b = create_task(sleeps_far(started));
    std::vector<task<int>> both{b, a};
    auto [done, pending] =
        co_await wait(std::move(both), {.return_when = return_when::first_completed});
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() < soon);
    CHECK(done == std::vector<task<int>>{a});
    CHECK(pending == std::vector<task<int>>{b});
    CHECK_FALSE(b.done());
    CHECK(b.cancelling() == 0);
    b.cancel();
}

coro<> waits_for_a_time() {
    gate started;
    stopwatch watch;
    task<int> a = create_task(value_after(unit(), 1));
    task<int> b = create_task(sleeps_far(started));
    std::vector<task<int>> both{a, b};
    auto [done, pending] = co_await wait(std::move(both), {.timeout = 3 * unit()});
    CHECK(watch.elapsed() >= 3 * unit());
    CHECK(watch.elapsed() < soon);
    CHECK(done == std::vector<task<int>>{a});
    CHECK(pending == std::vector<task<int>>{b});
    CHECK_FALSE(b.done());
    CHECK(b.cancelling() == 0);
    b.cancel();
}

coro<> waits_for_one(task<int> inner, gate& begun) {
    begun.open();
    std::vector<task<int>> one{inner};
    co_await wait(std::move(one));
}

coro<> cancels_a_wait() {
    gate begun;
    task<int> inner = create_task(value_after(3 * unit(), 7));
    task<> waiting = create_task(waits_for_one(inner, begun));
    co_await begun;
    CHECK(waiting.cancel());
    co_await ended(waiting);
    CHECK(waiting.cancelled());
    CHECK_FALSE(inner.done());
    CHECK(inner.cancelling() == 0);
    int value = co_await inner;
    CHECK(value == 7);
}

coro<int> at_once(int value) { co_return value; }

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> waits_with_duplicates(event_log& log) {
    task<int> a = create_task(at_once(1));
    task<int> b = create_task(value_after(unit(), 2));
    std::vector<task<int>> three{a, b, a};
    auto first = co_await wait(std::move(three));
    CHECK(first.done == std::vector<task<int>>{a, b});
    CHECK(first.pending.empty());
    task<> other = create_task(logs(log, "other"));
    std::vector<task<int>> again{b, a};
    auto second = co_await wait(std::move(again));
    if (log.lines().empty()) log.add("did not suspend");
    CHECK(second.done == std::vector<task<int>>{b, a});
    CHECK(second.pending.empty());
    co_await other;
}

coro<> yields(int times) {
    for (int i = 0; i < times; ++i) co_await yield();
}

coro<> reports_all_that_is_done() {
    task<> a = create_task(yields(1));
    task<> b = create_task(yields(2));
    std::vector<task<>> both{b, a};
    auto [done, pending] =
        co_await wait(std::move(both), {.return_when = return_when::first_completed});
    CHECK(done == std::vector<task<>>{b, a});
    CHECK(pending.empty());
}

}  // namespace

TEST_CASE("C086 wait for all gives every task and throws nothing") {
    on_workers(multi,
               [](unsigned workers) { run(waits_for_all_outcomes(), {.workers = workers}); });
}

TEST_CASE("C087 wait for the first leaves the others alone") {
    on_workers(multi, [](unsigned workers) { run(waits_for_the_first(), {.workers = workers}); });
}

TEST_CASE("C089 wait with a time limit reports what is pending and throws nothing") {
    on_workers(multi, [](unsigned workers) { run(waits_for_a_time(), {.workers = workers}); });
}

TEST_CASE("C090 cancelling a wait spares the tasks") {
    on_workers(multi, [](unsigned workers) { run(cancels_a_wait(), {.workers = workers}); });
}

TEST_CASE("C092 wait with duplicates, and with tasks that are done") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(waits_with_duplicates(log), {.workers = workers});
        if (workers == 1) {
            CHECK(log.lines() == std::vector<std::string>{"did not suspend", "other"});
        }
    });
}

TEST_CASE("C093 wait reports all that is done at its return") {
    on_workers(single,
               [](unsigned workers) { run(reports_all_that_is_done(), {.workers = workers}); });
}
