// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section D: the core of cancellation. "Started" means that the body opened its gate.
#include "weft/task/task.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

/// Waits for the end of a task without caring how it ended.
coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

coro<> sleeps(gate& started) {
    started.open();
    co_await sleep(far);
}

coro<> cancel_of_a_suspended_task() {
    gate started;
    task<> t = create_task(sleeps(started));
    co_await started;
    bool accepted = t.cancel();
    CHECK(accepted);
    CHECK_FALSE(t.done());
    CHECK_FALSE(t.cancelled());
    CHECK(t.cancelling() == 1);
    co_await ended(t);
    CHECK(t.cancelled());
}

coro<> logs_everything(event_log& log, std::shared_ptr<int> argument) {
    log.add("body");
    scope_exit leaving{[&log] { log.add("finally"); }};
    co_await yield();
    static_cast<void>(argument);
}

coro<> cancel_before_the_first_step(event_log& log) {
    auto argument = std::make_shared<int>(1);
    task<> t = create_task(logs_everything(log, argument));
    CHECK(argument.use_count() == 2);
    CHECK(t.cancel("too late to start"));
    std::string reason;
    try {
        co_await t;
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "too late to start");
    CHECK(log.lines().empty());
    CHECK(argument.use_count() == 1);
    CHECK(t.cancelled());
}

coro<int> five() {
    co_await yield();
    co_return 5;
}

coro<int> swallows_one_and_goes_on(gate& started, gate& later, int& interruptions) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        ++interruptions;
    }
    int sum = 0;
    try {
        co_await sleep(unit());
        co_await later;
        sum = co_await create_task(five());
    } catch (const cancelled&) {
        ++interruptions;
    }
    co_return sum;
}

coro<> one_delivery_per_request() {
    gate started;
    gate later;
    int interruptions = 0;
    task<int> t = create_task(swallows_one_and_goes_on(started, later, interruptions));
    co_await started;
    CHECK(t.cancel());
    co_await sleep(2 * unit());
    later.open();
    int value = co_await t;
    CHECK(value == 5);
    CHECK(interruptions == 1);
    CHECK_FALSE(t.cancelled());
    CHECK(t.cancelling() == 1);
}

coro<int> counts_interruptions(gate& started) {
    started.open();
    int count = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            co_await sleep(unit());
        } catch (const cancelled&) {
            ++count;
        }
    }
    co_return count;
}

coro<> two_requests_before_a_resumption() {
    gate started;
    task<int> t = create_task(counts_interruptions(started));
    co_await started;
    bool first = t.cancel();
    bool second = t.cancel();
    CHECK(first);
    CHECK(second);
    int count = co_await t;
    CHECK(count == 1);
    CHECK(t.cancelling() == 2);
    CHECK_FALSE(t.cancelled());
}

coro<int> cancels_itself_and_returns() {
    current_task().cancel("at the end");
    co_return 12;
}

coro<> cancels_itself_and_throws() {
    current_task().cancel();
    throw std::invalid_argument("own error");
    co_return;
}

coro<> missed_request_at_the_end() {
    task<int> t = create_task(cancels_itself_and_returns());
    co_await ended(t);
    CHECK(t.cancelled());
    std::string reason;
    try {
        co_await t;
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "at the end");
}

coro<> missed_request_and_an_error() {
    task<> t = create_task(cancels_itself_and_throws());
    co_await ended(t);
    CHECK_FALSE(t.cancelled());
    CHECK(text_of(t.exception()) == "own error");
    CHECK(t.cancelling() == 1);
}

coro<> child_with_finally(gate& started, event_log& log) {
    started.open();
    scope_exit leaving{[&log] { log.add("child's finally"); }};
    co_await sleep(far);
}

coro<> parent_of(task<> child, event_log& log) {
    try {
        co_await child;
    } catch (const cancelled&) {
        log.add("parent cancelled");
        throw;
    }
}

coro<> cancel_goes_down(event_log& log) {
    gate started;
    task<> child = create_task(child_with_finally(started, log));
    task<> parent = create_task(parent_of(child, log));
    co_await started;
    co_await yield();
    bool accepted = parent.cancel();
    CHECK(accepted);
    co_await ended(parent);
    // A parent that had not begun never awaited the child.
    if (log.lines().empty()) {
        child.cancel();
        co_await ended(child);
        co_return;
    }
    CHECK(child.cancelled());
    CHECK(parent.cancelled());
    CHECK(log.lines() == lines{"child's finally", "parent cancelled"});
}

coro<int> declines(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_return 5;
}

coro<int> parent_that_goes_on(task<int> child, gate& awaiting) {
    awaiting.open();
    int value = co_await child;
    co_await sleep(unit());
    co_await yield();
    co_return value;
}

coro<> a_child_may_decline() {
    gate started;
    gate awaiting;
    task<int> child = create_task(declines(started));
    task<int> parent = create_task(parent_that_goes_on(child, awaiting));
    co_await started;
    co_await awaiting;
    bool accepted = parent.cancel();
    CHECK(accepted);
    int value = co_await parent;
    CHECK(value == 5);
    CHECK_FALSE(parent.cancelled());
    CHECK(parent.cancelling() == 1);
}

coro<int> returns_when_open(gate& g, int value) {
    co_await g;
    co_return value;
}

coro<int> passes_on(task<int> source) {
    int value = co_await source;
    co_return value;
}

coro<> cancel_after_completion(bool withdraw) {
    gate g;
    task<int> source = create_task(returns_when_open(g, 42));
    task<int> t = create_task(passes_on(source));
    co_await yield();
    co_await yield();
    g.open();
    co_await yield();  // the source ends and queues t behind this task
    REQUIRE(source.done());
    REQUIRE_FALSE(t.done());
    CHECK(t.cancel());
    if (withdraw) CHECK(t.uncancel() == 0);
    co_await ended(t);
    CHECK(source.result() == 42);
    CHECK(outcome_of(t) == (withdraw ? "value" : "cancelled"));
    if (withdraw) CHECK(t.result() == 42);
}

}  // namespace

TEST_CASE("C041 cancel of a suspended task returns at once, and the task is not done yet") {
    on_workers(single,
               [](unsigned workers) { run(cancel_of_a_suspended_task(), {.workers = workers}); });
}

TEST_CASE("C042 cancelled before its first step, a body never runs and its arguments go") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(cancel_before_the_first_step(log), {.workers = workers});
    });
}

TEST_CASE("C044 a cancellation that was swallowed is over") {
    on_workers(multi,
               [](unsigned workers) { run(one_delivery_per_request(), {.workers = workers}); });
}

TEST_CASE("C045 two requests before a resumption are one delivery") {
    on_workers(single, [](unsigned workers) {
        run(two_requests_before_a_resumption(), {.workers = workers});
    });
}

TEST_CASE("C047 a request that the body missed turns its value into a cancellation") {
    on_workers(multi,
               [](unsigned workers) { run(missed_request_at_the_end(), {.workers = workers}); });
}

TEST_CASE("C048 an exception of the body's own wins over a request that it missed") {
    on_workers(multi,
               [](unsigned workers) { run(missed_request_and_an_error(), {.workers = workers}); });
}

TEST_CASE("C050 cancelling a task cancels the task that it awaits, first") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancel_goes_down(log), {.workers = workers});
    });
}

TEST_CASE("C051 an awaited task that declines saves its parent") {
    on_workers(multi, [](unsigned workers) { run(a_child_may_decline(), {.workers = workers}); });
}

TEST_CASE("C053 a request between completion and resumption replaces the value, not the source") {
    on_workers(single,
               [](unsigned workers) { run(cancel_after_completion(false), {.workers = workers}); });
}

TEST_CASE("C054 uncancel before the resumption withdraws the request") {
    on_workers(single,
               [](unsigned workers) { run(cancel_after_completion(true), {.workers = workers}); });
}
