// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Circles of tasks that await each other, and what is none.
#include <algorithm>
#include <set>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/sched/task_dump.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> nothing() { co_return; }

coro<> awaits(gate& ready, const task<>& other) {
    co_await ready;
    co_await other;
}

coro<> gathers(gate& ready, const task<>& other) {
    co_await ready;
    task<> bystander = create_task(coro_sleep(far));
    co_await gather(bystander, other);
}

coro<> forks(gate& ready, const task<>& other) {
    co_await when_all(awaits(ready, other), nothing());
}

using way = coro<> (*)(gate&, const task<>&);

std::set<std::string> names_of(const await_chain& chain) {
    std::set<std::string> names;
    for (const task_description& each : chain.tasks) names.insert(each.name);
    return names;
}

coro<> finds_a_circle_of(way left_way, way right_way) {
    gate ready;
    task<> left;
    task<> right;
    left = create_task(left_way(ready, right), {.name = "left"});
    right = create_task(right_way(ready, left), {.name = "right"});
    task<> outside = create_task(awaits(ready, left), {.name = "outside"});
    CHECK(find_deadlocks().empty());
    ready.open();
    std::vector<await_chain> found = find_deadlocks();
    while (found.empty()) {
        co_await yield();
        found = find_deadlocks();
    }
    REQUIRE(found.size() == 1);
    CHECK(found[0].is_circle);
    CHECK(names_of(found[0]) == std::set<std::string>{"left", "right"});
    CHECK(found[0].tasks.size() == 2);
    CHECK(found[0].tasks[0].name == "left");  // the oldest
    left.cancel();
    co_await ended(left);
    co_await ended(right);
    co_await ended(outside);
    CHECK(find_deadlocks().empty());
}

coro<> holds(strand s, gate& ready, const task<>& other) { co_await s.run(awaits(ready, other)); }

coro<> wants(strand s) { co_await s.run(nothing()); }

coro<> finds_a_circle_through_a_strand() {
    gate ready;
    strand s;
    task<> holder;
    task<> waiter;
    holder = create_task(holds(s, ready, waiter), {.name = "holder"});
    while (ready.waiting() == 0) co_await yield();
    waiter = create_task(wants(s), {.name = "waiter"});
    await_chain chain = waiter.await_chain();
    while (chain.tasks.size() < 2) {
        co_await yield();
        chain = waiter.await_chain();
    }
    CHECK(chain.tasks[0].at.waits_for == "mutex");
    CHECK(chain.tasks[0].at.tasks.at(0).name == "holder");
    CHECK(to_text(chain.tasks[0]).find("mutex held by holder") != std::string::npos);
    CHECK(find_deadlocks().empty());
    ready.open();
    std::vector<await_chain> found = find_deadlocks();
    while (found.empty()) {
        co_await yield();
        found = find_deadlocks();
    }
    REQUIRE(found.size() == 1);
    CHECK(names_of(found[0]) == std::set<std::string>{"holder", "waiter"});
    waiter.cancel();
    co_await ended(waiter);
    co_await ended(holder);
}

coro<> finds_two_circles() {
    gate ready;
    std::vector<task<>> tasks(7);
    const auto next = [](std::size_t i) -> std::size_t {
        return i < 4 ? (i + 1) % 4 : 4 + (i - 3) % 3;
    };
    for (std::size_t i = 0; i < tasks.size(); ++i)
        tasks[i] = create_task(awaits(ready, tasks[next(i)]));
    ready.open();
    std::vector<await_chain> found = find_deadlocks();
    while (found.size() != 2) {
        co_await yield();
        found = find_deadlocks();
    }
    for (const await_chain& circle : found) {
        const std::size_t size = circle.tasks.size();
        CHECK((size == 4 || size == 3));
        for (std::size_t i = 0; i < size; ++i) {
            CHECK(circle.tasks[i].at.tasks.at(0).id == circle.tasks[(i + 1) % size].id);
        }
    }
    for (const task<>& each : tasks) each.cancel();
    for (const task<>& each : tasks) co_await ended(each);
}

/// Chains that end at a timer, a gate, a task that runs, and one that is done.
coro<> finds_nothing() {
    gate ready;
    gate never;
    ready.open();
    task<> timer = create_task(coro_sleep(far));
    task<> closed = create_task(pass(never));
    task<> done = create_task(nothing());
    co_await done;
    const any_task self = current_task();
    std::vector<task<>> tasks;
    tasks.reserve(9);  // the next one refers to the last
    for (const task<>* t : {&timer, &closed, &done}) {
        tasks.push_back(create_task(awaits(ready, *t)));
        tasks.push_back(create_task(gathers(ready, tasks.back())));
        tasks.push_back(create_task(forks(ready, tasks.back())));
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(find_deadlocks().empty());
        co_await yield();
    }
    timer.cancel();
    never.open();
    for (const task<>& each : tasks) each.cancel();
    for (const task<>& each : tasks) co_await ended(each);
    co_await ended(timer);
    co_await ended(closed);
}

}  // namespace

TEST_CASE("a circle of tasks that await each other is found") {
    way left = GENERATE(&awaits, &gathers, &forks);
    way right = GENERATE(&awaits, &gathers, &forks);
    on_workers(multi, [&](unsigned workers) {
        run(finds_a_circle_of(left, right), {.workers = workers});
    });
}

TEST_CASE("a circle through who has a strand is found") {
    on_workers(multi, [](unsigned workers) {
        run(finds_a_circle_through_a_strand(), {.workers = workers});
    });
}

TEST_CASE("each of two circles is told in the order in which its tasks wait") {
    on_workers(multi, [](unsigned workers) { run(finds_two_circles(), {.workers = workers}); });
}

TEST_CASE("tasks that something outside may wake are no deadlock") {
    on_workers(multi, [](unsigned workers) { run(finds_nothing(), {.workers = workers}); });
}

TEST_CASE("a foreign thread finds a circle") {
    on_workers(multi, [](unsigned workers) {
        gate ready;
        task<> left;
        task<> right;
        runtime r{{.workers = workers}};
        left = r.spawn(awaits(ready, right));
        right = r.spawn(awaits(ready, left));
        ready.open();
        while (find_deadlocks(r).empty()) std::this_thread::yield();
        r.close();
        CHECK(left.cancelled());
        CHECK(right.cancelled());
    });
}

namespace {

/// Waits for the report of its circle, then ends it, and closes another one.
coro<> has_two_circles(failure_log& log) {
    for (std::size_t i = 0; i < 2; ++i) {
        gate ready;
        task<> left;
        task<> right;
        left = create_task(awaits(ready, right), {.name = "left"});
        right = create_task(awaits(ready, left), {.name = "right"});
        ready.open();
        while (log.all().size() == i) co_await sleep(300ms);  // the interval is shorter
        left.cancel();
        co_await ended(right);
    }
}

}  // namespace

TEST_CASE("circles are reported once nothing runs, each of them once") {
    on_workers(multi, [](unsigned workers) {
        failure_log log;
        runtime r{{.workers = workers, .report_deadlocks = 10ms}};
        log.attach(r);
        r.block_on(has_two_circles(log));
        r.close();
        REQUIRE(log.all().size() == 2);
        for (const failure& what : log.all()) {
            CHECK(what.what == failure::kind::deadlock);
            CHECK(what.task_name == "left");
            CHECK(what.chain.tasks.size() == 2);
            CHECK(what.message.find("in a circle") != std::string::npos);
        }
    });
}

TEST_CASE("a circle is not reported where that is not wanted, and never a wait for time") {
    on_workers({1, 2}, [](unsigned workers) {
        failure_log log;
        gate ready;
        task<> left;
        task<> right;
        const bool wanted = workers == 2;
        runtime r{{.workers = workers, .report_deadlocks = wanted ? 10ms : 0ms}};
        log.attach(r);
        left = r.spawn(awaits(ready, right));
        right = r.spawn(wanted ? coro_sleep(far) : awaits(ready, left));
        ready.open();
        r.block_on(coro_sleep(4 * unit()));
        r.close();
        CHECK(log.all().empty());
    });
    CHECK_THROWS_AS(runtime({.workers = 1, .report_deadlocks = -1ns}), std::invalid_argument);
}
