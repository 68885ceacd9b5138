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
#include "support/seed.hpp"

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

coro<> records_its_reason(gate& started, std::string& seen) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> reasons_travel(std::string text) {
    gate started;
    std::string inside = "nothing";
    std::string outside = "nothing";
    task<> t = create_task(records_its_reason(started, inside));
    co_await started;
    t.cancel(text);
    std::uint64_t requester = 0;
    try {
        co_await t;
    } catch (const cancelled& c) {
        outside = c.reason();
        requester = c.requester();
    }
    CHECK(inside == text);
    CHECK(outside == text);
    CHECK(requester == current_task().id());
}

coro<> throws_cancelled_itself() {
    co_await yield();
    throw cancelled{};
}

coro<> cancelled_without_a_request() {
    task<> t = create_task(throws_cancelled_itself());
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 0);
    CHECK_THROWS_AS(t.exception(), cancelled);
}

/// Sleeps when cancelled, then notes that it was not interrupted, then ends cancelled.
coro<> cleans_up(gate& started, gate& cleaning, std::chrono::nanoseconds time, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    cleaning.open();
    co_await sleep(time);
    log.add("clean");
    std::rethrow_exception(stop);
}

coro<> clean_up_may_await(event_log& log) {
    gate started;
    gate cleaning;
    task<> t = create_task(cleans_up(started, cleaning, 2 * unit(), log));
    co_await started;
    stopwatch watch;
    t.cancel();
    bool thrown = false;
    try {
        co_await t;
    } catch (const cancelled&) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(watch.elapsed() >= 2 * unit());
    CHECK(log.lines() == lines{"clean"});
}

coro<> clean_up_can_be_interrupted(event_log& log) {
    gate started;
    gate cleaning;
    task<> t = create_task(cleans_up(started, cleaning, far, log));
    co_await started;
    t.cancel();
    co_await cleaning;
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 2);
    CHECK(log.lines().empty());
}

coro<> catches_ordinary_errors(gate& started, bool& caught) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const std::exception&) {
        caught = true;
    }
}

coro<> ordinary_handlers_let_it_pass() {
    gate started;
    bool caught = false;
    task<> t = create_task(catches_ordinary_errors(started, caught));
    co_await started;
    t.cancel();
    co_await ended(t);
    CHECK_FALSE(caught);
    CHECK(t.cancelled());
}

coro<int> yields_once() {
    co_await yield();
    co_return 1;
}

coro<bool> cancels_after(any_task t, unsigned spins) {
    for (unsigned i = 0; i < spins; ++i) detail::real_environment::relax();
    co_return t.cancel();
}

coro<> random_cancels(unsigned rounds) {
    std::uint64_t random = seed() | 1;
    unsigned wrong = 0;
    for (unsigned i = 0; i < rounds; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        task<int> t = create_task(yields_once());
        task<bool> canceller =
            create_task(cancels_after(t, static_cast<unsigned>(random >> 33) % 200));
        bool accepted = co_await canceller;
        co_await ended(t);
        bool right = accepted ? t.cancelled() : outcome_of(t) == "value" && t.result() == 1;
        wrong += right ? 0 : 1;
    }
    CHECK(wrong == 0);
}

struct tally {
    std::atomic<bool> enough{false};
    std::atomic<unsigned> delivered{0};
    std::atomic<unsigned> undisturbed{0};
};

coro<int> swallows_all(gate& started, tally& t) {
    started.open();
    while (!t.enough) {
        try {
            co_await sleep(std::chrono::milliseconds{1});
            ++t.undisturbed;
        } catch (const cancelled&) {
            ++t.delivered;
        }
    }
    co_return 3;
}

coro<> waits_for(gate& g) { co_await g; }

coro<int> result_of(task<int> t) {
    int value = 0;
    while (!t.done()) co_await yield();
    if (!t.cancelled()) value = t.result();
    co_return value;
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

TEST_CASE("C056 the reason reaches the body and whoever awaits the task") {
    on_workers(multi, [](unsigned workers) {
        run(reasons_travel("my message"), {.workers = workers});
        run(reasons_travel(""), {.workers = workers});
    });
}

TEST_CASE("C057 a body that throws cancelled by itself is a cancelled task") {
    on_workers(multi,
               [](unsigned workers) { run(cancelled_without_a_request(), {.workers = workers}); });
}

TEST_CASE("C059 clean-up may await, and the task is done only after it") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(clean_up_may_await(log), {.workers = workers});
    });
}

TEST_CASE("C060 a second request interrupts the clean-up") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(clean_up_can_be_interrupted(log), {.workers = workers});
    });
}

TEST_CASE("C062 a handler for std::exception does not catch a cancellation") {
    on_workers(multi, [](unsigned workers) {
        run(ordinary_handlers_let_it_pass(), {.workers = workers});
    });
}

TEST_CASE("C063 an accepted request is never followed by a plain value") {
    on_workers(multi, [](unsigned workers) { run(random_cancels(10'000), {.workers = workers}); });
}

TEST_CASE("C065 eight threads cancel one task that swallows everything") {
    on_workers(multi, [](unsigned workers) {
        gate started;
        tally counts;
        std::atomic<unsigned> accepted{0};
        runtime r{{.workers = workers}};
        task<int> t = r.spawn(swallows_all(started, counts));
        r.block_on(waits_for(started));
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < 1000; ++n) accepted += t.cancel() ? 1u : 0u;
            });
        }
        for (std::thread& thread : threads) thread.join();
        // A whole sleep without a cancellation: nothing is undelivered any more.
        unsigned before = counts.undisturbed;
        while (counts.undisturbed < before + 2) std::this_thread::yield();
        counts.enough = true;
        int value = r.block_on(result_of(t));
        CHECK(accepted == 8000);
        CHECK(t.cancelling() == accepted);
        CHECK(counts.delivered >= 1);
        CHECK(counts.delivered <= accepted);
        CHECK(value == 3);
    });
}
