// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/task_group.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/group_outcome.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> one_child(task_group& group, gate& g) {
    group.create_task(pass(g));
    co_return;
}

coro<> awaits_one_child(task_group& group, gate& g) {
    task<> child = group.create_task(pass(g));
    co_await child;
}

/// And for the gate: at shutdown the child may be cancelled, which is no failure, before the owner.
coro<> waits_at_the_end(gate& g) {
    co_await task_group::run(one_child, std::ref(g));
    co_await g;
}

coro<> waits_in_the_body(gate& g) { co_await task_group::run(awaits_one_child, std::ref(g)); }

coro<> fails_when_stopped() {
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        throw std::runtime_error("clean-up failed");
    }
}

coro<> fails_at_the_end(task_group& group) {
    group.create_task(fails_when_stopped());
    co_return;
}

coro<> runs_limited(timeout_scope& limit) {
    co_await with_timeout(limit, task_group::run(fails_at_the_end));
}

/// The limit has stopped the child, whose failure comes first; nobody else asks the task to stop.
coro<> fails_in_a_limit() {
    timeout_scope limit{unit()};
    const std::string ended = co_await outcome(runs_limited(limit));
    CHECK(ended == "[clean-up failed]");
    CHECK(limit.expired());
    CHECK(current_task().cancelling() == 0);
    co_await yield();  // nothing is left to be delivered
}

// ---- values and arguments

coro<int> answers(task_group& group, std::unique_ptr<int> left, int right) {
    task<int> sum =
        group.create_task([](int a, int b) -> coro<int> { co_return a + b; }, *left, right);
    co_return co_await sum;
}

coro<> adds_to(std::atomic<int>& total, int amount) {
    co_await yield();
    total += amount;
}

coro<> gives_values() {
    int value = co_await task_group::run(answers, std::make_unique<int>(40), 2);
    CHECK(value == 42);
    std::atomic<int> total{0};
    auto amount = std::make_shared<int>(3);
    auto body = [&total, amount](task_group& group) -> coro<std::string> {
        for (int i = 0; i < 100; ++i) group.create_task(adds_to(total, *amount));
        co_return "body";
    };
    std::string text = co_await task_group::run(body);
    CHECK(text == "body");
    CHECK(total == 300);
}

coro<> throws_before_the_coroutine_exists() {
    auto body = [](task_group& group) -> coro<> {
        group.create_task(coro_sleep(far));
        throw std::invalid_argument("no coroutine");
    };
    std::string ended = co_await outcome(task_group::run(body));
    CHECK(ended == "[no coroutine]");
}

coro<> inside_other_awaits(event_log& log) {
    gate never;
    bool expired = false;
    try {
        co_await with_timeout(unit(), task_group::run(one_child, std::ref(never)));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(current_task().cancelling() == 0);
    CHECK(never.waiting() == 0);
    gate open;
    open.open();
    auto [a, b] = co_await when_all(task_group::run(answers, std::make_unique<int>(1), 2),
                                    task_group::run(answers, std::make_unique<int>(3), 4));
    CHECK(a + b == 10);
    log.add("done");
}

coro<> fails_now(const char* text) {
    co_await yield();
    throw std::domain_error(text);
}

coro<> fails_beside_a_sleep(task_group& group) {
    group.create_task(fails_now("child"));
    co_await sleep(far);
}

/// A request that was heard and declined before is not the group's.
coro<> cleans_up_with_a_group(gate& started, std::string& seen) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        seen = "stopped ";
    }
    seen += co_await outcome(task_group::run(fails_beside_a_sleep));
    co_await sleep(unit() / 5);
    seen += " " + std::to_string(current_task().cancelling());
}

coro<> groups_in_clean_up() {
    gate started;
    std::string seen;
    task<> t = create_task(cleans_up_with_a_group(started, seen));
    co_await started;
    t.cancel();
    co_await t;
    CHECK(seen == "stopped [child] 1");
}

// ---- cancel

coro<> cancels_group_and_sleeps(task_group& group, event_log& log) {
    group.create_task(coro_sleep(far));
    group.cancel("enough");
    group.cancel("again");
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        throw;
    }
}

coro<std::optional<int>> gives_unless_stopped(task_group& group, bool stops) {
    if (stops) group.cancel();
    co_await yield();
    co_return 5;
}

coro<int> is_stopped_before_it_gives(task_group& group) {
    group.cancel();
    co_await sleep(far);
    co_return 5;
}

coro<> finds(task_group group, std::atomic<int>& found) {
    co_await yield();
    found = 9;
    group.cancel("found");
}

coro<int> ends_before_the_search(task_group& group, std::atomic<int>& found) {
    group.create_task(finds(group, found));
    group.create_task(coro_sleep(far));
    co_return 6;
}

coro<> fails_in_clean_up() {
    bool is_stopped = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        is_stopped = true;
    }
    if (is_stopped) throw std::domain_error("clean-up");
}

coro<> cancels_one_that_fails(task_group& group) {
    group.create_task(fails_in_clean_up());
    co_await sleep(unit() / 5);
    group.cancel();
}

coro<> cancels(event_log& log) {
    co_await task_group::run(cancels_group_and_sleeps, std::ref(log));
    CHECK(log.lines() == lines{"enough"});
    CHECK(current_task().cancelling() == 0);
    std::optional<int> none = co_await task_group::run(gives_unless_stopped, true);
    std::optional<int> some = co_await task_group::run(gives_unless_stopped, false);
    CHECK_FALSE(none.has_value());
    CHECK(some == 5);
    bool is_misuse = false;
    try {
        co_await task_group::run(is_stopped_before_it_gives);
    } catch (const usage_error&) {
        is_misuse = true;
    }
    CHECK(is_misuse);
    std::atomic<int> found{0};
    int value = co_await task_group::run(ends_before_the_search, std::ref(found));
    CHECK(value == 6);
    CHECK(found == 9);
    std::string end = co_await outcome(task_group::run(cancels_one_that_fails));
    CHECK(end == "[clean-up]");
    CHECK(current_task().cancelling() == 0);
    co_await sleep(unit() / 5);
}

coro<> cancelled_twice(task_group& group, gate& started) {
    group.create_task(coro_sleep(far));
    group.cancel("from inside");
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        started.open();
    }
    gate never;
    co_await never;
}

/// The group's own request is no error, the foreign one is not lost.
coro<> cancelled_from_both_sides() {
    gate started;
    task<> owner = create_task(task_group::run(cancelled_twice, std::ref(started)));
    co_await started;
    for (int i = 0; i < 20; ++i) co_await yield();
    owner.cancel("from outside");
    co_await ended(owner);
    CHECK(owner.cancelled());
}

// ---- other threads

coro<> keeps_open(task_group& group, std::optional<task_group>& handle, gate& known, gate& enough) {
    handle = group;
    known.open();
    co_await enough;
}

coro<int> gives_its_worker_count(std::atomic<int>& ran) {
    co_await yield();
    ++ran;
    co_return 1;
}

// ---- eager children

constexpr task_options eager{.start = start_policy::eager};

coro<> notes_twice(std::vector<std::string>& said, std::string name) {
    said.push_back(name + " begins");
    co_await yield();
    said.push_back(name + " ends");
}

coro<> fails_at_once() {
    throw std::runtime_error("at once");
    co_return;
}

coro<> starts_eagerly(task_group& group, lines& said) {
    group.create_task(notes_twice(said, "queued"));
    group.create_task(notes_twice(said, "eager"), eager);
    said.emplace_back("body ends");
    co_return;
}

coro<> fails_eagerly(task_group& group, lines& said) {
    const task<> failed = group.create_task(fails_at_once(), eager);
    said.emplace_back(failed.done() ? "done" : "not done");
    CHECK_THROWS_AS(group.create_task(fails_at_once(), eager), usage_error);
    co_await yield();
    said.emplace_back("never");
}

coro<> starts_children_eagerly(std::size_t limit, lines expected) {
    lines said;
    co_await task_group::run({.limit = limit}, starts_eagerly, std::ref(said));
    CHECK(said == expected);
}

coro<> is_failed_by_an_eager_child() {
    lines said;
    const std::string how = co_await outcome(task_group::run(fails_eagerly, std::ref(said)));
    CHECK(how == "[at once]");
    CHECK(said == lines{"done"});
}

}  // namespace

TEST_CASE("a limit that stops a group has expired although the group fails") {
    on_workers(multi, [](unsigned workers) { run(fails_in_a_limit(), {.workers = workers}); });
}

TEST_CASE("the end of a group passes the checklist") { check_waiting(waits_at_the_end); }
TEST_CASE("a group's body passes the checklist") { check_waiting(waits_in_the_body); }
TEST_CASE("a group gives what its body returns and keeps what it was given") {
    on_workers(multi, [](unsigned workers) { run(gives_values(), {.workers = workers}); });
}

TEST_CASE("a callable that throws instead of giving a coroutine is a body that failed") {
    on_workers(multi, [](unsigned workers) {
        run(throws_before_the_coroutine_exists(), {.workers = workers});
    });
}

TEST_CASE("a group inside of a time limit and of a when_all") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(inside_other_awaits(log), {.workers = workers});
        CHECK(log.lines() == lines{"done"});
    });
}

TEST_CASE("a group in clean-up does not bring back the request that was declined") {
    on_workers(multi, [](unsigned workers) { run(groups_in_clean_up(), {.workers = workers}); });
}

TEST_CASE("cancelling a group is no error") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancels(log), {.workers = workers});
    });
}

TEST_CASE("a group that is cancelled from inside and its owner from outside") {
    on_workers(multi,
               [](unsigned workers) { run(cancelled_from_both_sides(), {.workers = workers}); });
}

TEST_CASE("threads that run no task add to a group and cancel it") {
    on_workers(multi, [](unsigned workers) {
        std::optional<task_group> handle;
        gate known, enough;
        std::atomic<int> ran{0};
        runtime r{{.workers = workers}};
        task<> owner = r.spawn(
            task_group::run(keeps_open, std::ref(handle), std::ref(known), std::ref(enough)));
        while (!known.is_open()) std::this_thread::yield();
        std::vector<task<int>> children;
        for (int i = 0; i < 50; ++i) {
            children.push_back(handle->create_task(gives_its_worker_count(ran)));
        }
        for (task<int>& child : children) r.block_on(ended(child));
        CHECK(ran == 50);
        task<> sleeper = handle->create_task(coro_sleep(far));
        handle->cancel("from another thread");
        r.block_on(ended(owner));
        CHECK(outcome_of(owner) == "value");
        CHECK(sleeper.cancelled());
        CHECK_THROWS_AS(handle->create_task(coro_sleep(far)), usage_error);
    });
}

TEST_CASE("a child may start eagerly, if it need not wait for its turn") {
    on_workers(single, [](unsigned workers) {
        const lines at_once{"eager begins", "body ends", "queued begins", "eager ends",
                            "queued ends"};
        run(starts_children_eagerly(0, at_once), {.workers = workers});
        const lines in_turn{"body ends", "queued begins", "queued ends", "eager begins",
                            "eager ends"};
        run(starts_children_eagerly(1, in_turn), {.workers = workers});
    });
}

TEST_CASE("a child that fails in its eager start stops the group before create_task returns") {
    on_workers(multi,
               [](unsigned workers) { run(is_failed_by_an_eager_child(), {.workers = workers}); });
}
