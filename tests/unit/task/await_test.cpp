// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaits of tasks that were just made: order, cancellation, limits and failures, nested to any
// depth.

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

namespace {

coro<> notes(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> awaits_one_of_two(event_log& log) {
    task<> first = create_task(notes(log, "first"));
    task<> second = create_task(notes(log, "second"));
    co_await first;
    log.add("awaiter");
    co_await second;
}

/// Starts another task while its awaiter waits.
coro<> starts_another(event_log& log, std::vector<task<>>& started) {
    started.push_back(create_task(notes(log, "started")));
    log.add("starter");
    co_return;
}

coro<> awaits_a_starter(event_log& log) {
    std::vector<task<>> started;
    co_await create_task(starts_another(log, started));
    log.add("awaiter");
    co_await started.front();
}

coro<int> cancels(any_task whom, int yields) {
    whom.cancel("by the child");
    for (int i = 0; i < yields; ++i) co_await yield();
    co_return 1;
}

/// What became of the child that cancels the task that awaits it.
coro<std::string> child_of_a_cancelled_awaiter(int yields) {
    task<int> child;
    task<> awaiter = create_task({}, [&child, yields]() -> coro<> {
        child = create_task(cancels(current_task(), yields));
        co_await child;
    });
    while (!awaiter.done()) co_await yield();
    co_return std::string(awaiter.cancelled() ? "cancelled" : "done") + " " +
        (child.cancelled() ? "cancelled" : "done");
}

using body = coro<int> (*)(int);

coro<int> nests(int depth, body innermost, int argument = 0) {
    if (depth == 0) {
        int value = co_await innermost(argument);
        co_return value;
    }
    int below = co_await create_task(nests(depth - 1, innermost, argument));
    co_return below + 1;
}

coro<int> gives_one(int) { co_return 1; }
coro<int> yields_once(int) {
    co_await yield();
    co_return 1;
}
coro<int> sleeps_long(int) {
    co_await sleep(far);
    co_return 1;
}
coro<int> fails(int) {
    throw std::runtime_error("innermost");
    co_return 1;
}

coro<int> forks_and_awaits(int depth) {
    if (depth == 0) co_return 1;
    auto [left, right] =
        co_await when_all(forks_and_awaits(depth - 1), nests(2, forks_and_awaits, depth - 1));
    co_return left + right;
}

coro<bool> notes_that_it_ran(bool& ran) {
    ran = true;
    co_return true;
}

/// A request that is pending when a task awaits reaches the awaited one before it begins.
coro<std::string> awaits_after_its_own_cancellation() {
    bool ran = false;
    task<> outer = create_task({}, [&ran]() -> coro<> {
        current_task().cancel();
        co_await create_task(notes_that_it_ran(ran));
    });
    while (!outer.done()) co_await yield();
    co_return std::string(ran ? "ran " : "never ran ") + outcome_of(outer);
}

/// top awaits mid awaits an inner task that cancels top and returns.
coro<std::string> cancels_the_outermost() {
    std::string seen;
    task<int> inner;
    task<int> mid;
    task<int> top = create_task({}, [&]() -> coro<int> {
        any_task self = current_task();
        mid = create_task({}, [&seen, &inner, self]() -> coro<int> {
            inner = create_task(cancels(self, 0));
            int value = co_await inner;
            seen += "mid went on ";
            co_return value;
        });
        int value = co_await mid;
        co_return value;
    });
    while (!top.done()) co_await yield();
    co_return seen + outcome_of(inner) + " " + outcome_of(mid) + " " + outcome_of(top);
}

coro<std::string> ends_at_a_limit() {
    try {
        co_await with_timeout(5ms, nests(50, sleeps_long));
    } catch (const timeout_error&) {
        co_return "timeout";
    }
    co_return "value";
}

coro<bool> all_are_cancelled(int depth) {
    task<int> outer = create_task(nests(depth, sleeps_long));
    co_await sleep(1ms);
    const bool accepted = outer.cancel();
    while (!outer.done()) co_await yield();
    co_return accepted&& outer.cancelled() && all_tasks().size() == 1;
}

/// Drops the handle by which it is awaited, which with several workers would be a race.
coro<std::string> drops(task<std::string>& handle, int yields) {
    handle = {};
    for (int i = 0; i < yields; ++i) co_await yield();
    co_return std::string(64, 'x');
}

coro<std::size_t> awaits_who_drops(int yields) {
    task<std::string> child;
    child = create_task(drops(child, yields));
    std::string value = co_await child;  // the await is its task's last holder
    co_return value.size();
}

coro<> awaits_for(task<int>& target, std::atomic<int>& sum) {
    int value = co_await target;
    sum += value;
}

/// Its awaiter is not the only one: others come while it runs.
coro<int> gathers_awaiters(task<int>& self, std::atomic<int>& sum, std::vector<task<>>& others) {
    for (int i = 0; i < 3; ++i) others.push_back(create_task(awaits_for(self, sum)));
    co_return 1;
}

coro<int> awaits_who_gathers() {
    std::atomic<int> sum{0};
    std::vector<task<>> others;
    task<int> popular;
    popular = create_task(gathers_awaiters(popular, sum, others));
    int own = co_await popular;
    for (task<>& other : others) co_await other;
    co_return sum + own;
}

}  // namespace

TEST_CASE("with one worker an awaiter goes on after what was queued before", "[await]") {
    event_log log;
    run(awaits_one_of_two(log), {.workers = 1});
    CHECK(log.lines() == std::vector<std::string>{"first", "second", "awaiter"});
    event_log other;
    run(awaits_a_starter(other), {.workers = 1});
    CHECK(other.lines() == std::vector<std::string>{"starter", "started", "awaiter"});
}

TEST_CASE("a task that cancels its awaiter is cancelled with it", "[await]") {
    on_workers(multi, [](unsigned workers) {
        for (int yields : {0, 1, 2}) {
            INFO(yields << " yields");
            CHECK(run(child_of_a_cancelled_awaiter(yields), {.workers = workers}) ==
                  "cancelled cancelled");
        }
    });
}

TEST_CASE("a request reaches a task before it begins, and the innermost first", "[await]") {
    on_workers(multi, [](unsigned workers) {
        CHECK(run(awaits_after_its_own_cancellation(), {.workers = workers}) ==
              "never ran cancelled");
        CHECK(run(cancels_the_outermost(), {.workers = workers}) ==
              "cancelled cancelled cancelled");
    });
}

TEST_CASE("a task may drop the handle by which it is awaited", "[await]") {
    for (int yields : {0, 1}) {
        INFO(yields << " yields");
        CHECK(run(awaits_who_drops(yields), {.workers = 1}) == 64);
    }
}

TEST_CASE("a task that runs for one awaiter is awaited by others", "[await]") {
    CHECK(run(awaits_who_gathers(), {.workers = 1}) == 4);
}

TEST_CASE("tasks await tasks to any depth", "[await]") {
    on_workers(multi, [](unsigned workers) {
        constexpr int depth = 20'000;
        CHECK(run(nests(depth, gives_one), {.workers = workers}) == depth + 1);
        CHECK(run(nests(depth, yields_once), {.workers = workers}) == depth + 1);
        CHECK_THROWS_AS(run(nests(100, fails), {.workers = workers}), std::runtime_error);
        CHECK(run(all_are_cancelled(2'000), {.workers = workers}));
    });
}

TEST_CASE("a limit reaches the innermost of nested tasks", "[await]") {
    on_workers(multi, [](unsigned workers) {
        CHECK(run(ends_at_a_limit(), {.workers = workers}) == "timeout");
    });
}

TEST_CASE("forked children await tasks that fork", "[await]") {
    on_workers(multi, [](unsigned workers) {
        CHECK(run(forks_and_awaits(6), {.workers = workers}) == 64 + 2 * 63);
    });
}
