// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Circles through each way of waiting for other tasks, and what looks like one and is none.
#include "weft/sched/task_dump.hpp"

#include <atomic>

#include "support/catch.hpp"
#include "wait_ways.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using way = coro<> (*)(gate&, task<>&);

coro<> awaits(gate& ready, task<>& other) {
    co_await ready;
    co_await other;
}
coro<> waits_for_all(gate& ready, task<>& other) {
    co_await ready;
    co_await waits_for(other, return_when::all_completed);
}
coro<> waits_for_the_first(gate& ready, task<>& other) {
    co_await ready;
    co_await waits_for(other, return_when::first_completed);
}
coro<> waits_for_a_failure(gate& ready, task<>& other) {
    co_await ready;
    co_await waits_for(other, return_when::first_exception);
}
coro<> shields_it(gate& ready, task<>& other) {
    co_await ready;
    co_await shield(other);
}
coro<> takes_it(gate& ready, task<>& other) {
    co_await ready;
    co_await takes_a_ticket(other);
}
coro<> races_for_it(gate& ready, task<>& other) {
    co_await ready;
    co_await races(other, other);
}
coro<> adds_joins(task_group& group, task<>& other) {
    group.create_task({.name = "child"}, joins, other);
    co_return;
}
coro<> has_a_child_for_it(gate& ready, task<>& other) {
    co_await ready;
    co_await task_group::run(adds_joins, std::ref(other));
}
coro<> cleans_up_with_it(gate& ready, task<>& other) {
    co_await ready;
    auto cleanup = [&other] { return joins(other); };
    co_await with_cleanup(coro_sleep(0ms), cleanup, {.shielded = true});
}

coro<> finds_a_circle_of(way left_way, way right_way) {
    gate ready;
    task<> left;
    task<> right;
    left = create_task(left_way(ready, right), {.name = "left"});
    right = create_task(right_way(ready, left), {.name = "right"});
    CHECK(find_deadlocks().empty());
    ready.open();
    std::vector<await_chain> found = find_deadlocks();
    while (found.empty()) {
        co_await yield();
        found = find_deadlocks();
    }
    CHECK(found.size() == 1);
    names in_it;
    for (const task_description& each : found[0].tasks) in_it.insert(each.name);
    in_it.erase("child");
    CHECK(in_it == names{"left", "right"});
    left.cancel();
    right.cancel();
    co_await ended(left);
    co_await ended(right);
    CHECK(find_deadlocks().empty());
}

/// With another task, which waits for this one as well: no alternative can be the one.
coro<> finds_a_circle_with_both_ways_out(bool by_when_any) {
    gate ready;
    task<> left;
    task<> right;
    task<> other;
    auto picks = [](gate& at, task<>& one, task<>& two, bool any) -> coro<> {
        co_await at;
        if (any)
            co_await races(one, two);
        else
            co_await waits_for(one, two, return_when::first_completed);
    };
    left = create_task(picks, std::ref(ready), std::ref(right), std::ref(other), by_when_any);
    right = create_task(awaits(ready, left));
    other = create_task(awaits(ready, left));
    ready.open();
    while (find_deadlocks().empty()) co_await yield();
    CHECK(find_deadlocks().size() == 1);
    left.cancel();
    co_await ended(left);
    co_await ended(right);
    co_await ended(other);
}

/// The classic one: a child that has the only turn waits for one that has none.
coro<> has_the_only_turn(task_group& group, gate& ready, task<>& queued) {
    group.create_task({.name = "holder"}, awaits, std::ref(ready), std::ref(queued));
    queued = group.create_task({.name = "queued"}, coro_sleep, 0ms);
    co_return;
}
coro<> runs_with_one_turn(gate& ready, task<>& queued) {
    co_await task_group::run(task_group_options{.limit = 1}, has_the_only_turn, std::ref(ready),
                             std::ref(queued));
}

coro<> finds_a_circle_through_a_turn() {
    gate ready;
    task<> queued;
    task<> group = create_task(runs_with_one_turn(ready, queued));
    static_cast<void>(co_await told_once_it_waits(group));
    CHECK(find_deadlocks().empty());
    ready.open();
    std::vector<await_chain> found = find_deadlocks();
    while (found.empty()) {
        co_await yield();
        found = find_deadlocks();
    }
    REQUIRE(found.size() == 1);
    names in_it;
    for (const task_description& each : found[0].tasks) in_it.insert(each.name);
    CHECK(in_it == names{"holder", "queued"});
    queued.cancel();
    co_await ended(group);
}

// ---- what is none

coro<> outside() { co_await sleep(far); }
coro<> spins(const std::atomic<bool>& enough) {
    while (!enough) co_await yield();
}

/// Each lets `other` wait for it, and yet can go on.
struct way_out {
    gate ready;
    std::atomic<bool> enough{false};
    promise<> p;
    task<> sleeps = create_task(outside());
};
using open_way = coro<> (*)(way_out&, task<>&);

coro<> first_of_two(way_out& by, task<>& other) {
    co_await waits_for(other, by.sleeps, return_when::first_completed);
}
coro<> failure_of_two(way_out& by, task<>& other) {
    co_await waits_for(other, by.sleeps, return_when::first_exception);
}
coro<> for_a_time(way_out& /*by*/, task<>& other) {
    std::vector<task<>> one{other};
    const wait_options options{.timeout = far};
    const auto result = co_await wait(std::move(one), options);
    static_cast<void>(result);
}
coro<> ticket_of_two(way_out& by, task<>& other) {
    std::vector<task<>> two{other, by.sleeps};
    co_await takes_a_ticket(std::move(two));
}
coro<> next_for_a_time(way_out& /*by*/, task<>& other) {
    std::vector<task<>> one{other};
    co_await takes_the_next(std::move(one));
}
coro<> race_with_a_timer(way_out& /*by*/, task<>& other) {
    co_await when_any(joins(other), outside());
}
coro<> race_with_one_that_runs(way_out& by, task<>& other) {
    co_await when_any(joins(other), spins(by.enough));
}
coro<> in_a_timeout(way_out& /*by*/, task<>& other) {
    try {
        co_await wait_for(other, far);
    } catch (const timeout_error&) {
    }
}
coro<> in_a_limit_around_children(way_out& /*by*/, task<>& other) {
    auto both = [](task<>& joined) -> coro<> { co_await when_all(joins(joined), outside()); };
    co_await move_on_after(far, both(other));
}
coro<> in_a_scope(way_out& /*by*/, task<>& other) {
    cancel_scope scope{far};
    co_await scope.run(joins(other));
}
coro<> for_a_future(way_out& by, task<>& /*other*/) { co_await by.p.get_future(); }
coro<> any_of_future_and_task(way_out& by, task<>& other) {
    const std::vector<any_task> both{other, detail::task_access::handle_of(by.p.get_future())};
    const wait_options options{.return_when = return_when::first_completed};
    const auto result = co_await wait(both, options);
    static_cast<void>(result);
}
coro<> reports_beside(task_status<>& status, gate& g, task<>& other) {
    co_await when_all(reports_late(status, g), joins(other));
}
coro<> starts_one(task_group& group, gate& g, task<>& other) {
    co_await group.start(reports_beside, std::ref(g), std::ref(other));
}
coro<> for_a_start(way_out& /*by*/, task<>& other) {
    gate g;
    co_await task_group::run(starts_one, std::ref(g), std::ref(other));
}

coro<> goes(way_out& by, task<>& other, open_way how) {
    co_await by.ready;
    co_await how(by, other);
}

coro<> finds_nothing_in(open_way how) {
    way_out by;
    task<> left;
    task<> right;
    left = create_task(goes(by, right, how));
    right = create_task(awaits(by.ready, left));
    by.ready.open();
    static_cast<void>(co_await told_once_it_waits(right));
    static_cast<void>(co_await told_once_it_waits(left));
    std::size_t found = 0;
    for (int i = 0; i < 50; ++i) {
        found += find_deadlocks().size();
        co_await yield();
    }
    CHECK(found == 0);
    by.enough = true;
    left.cancel();
    by.sleeps.cancel();
    co_await ended(left);
    co_await ended(right);
    co_await ended(by.sleeps);
}

/// A limit that is moved: from none to one, and from one to none.
coro<> reschedules(gate& ready, gate& moved, task<>& other, bool to_none) {
    timeout_scope scope{to_none ? time_limit{far} : time_limit{std::nullopt}};
    auto body = [](timeout_scope& in, gate& at, gate& then, task<>& joined, bool none) -> coro<> {
        co_await at;
        in.reschedule(none ? time_limit{std::nullopt} : time_limit{far});
        then.open();
        co_await joined;
    };
    co_await with_timeout(scope, body(scope, ready, moved, other, to_none));
}

coro<> heeds_a_limit_that_is_moved(bool to_none) {
    gate ready;
    gate moved;
    task<> left;
    task<> right;
    left = create_task(reschedules(ready, moved, right, to_none));
    right = create_task(awaits(ready, left));
    ready.open();
    co_await moved;
    if (to_none) {
        while (find_deadlocks().empty()) co_await yield();
    } else {
        static_cast<void>(co_await told_once_it_waits(left));
        static_cast<void>(co_await told_once_it_waits(right));
        CHECK(find_deadlocks().empty());
    }
    left.cancel();
    co_await ended(left);
    co_await ended(right);
}

}  // namespace

TEST_CASE("a circle is found through every way of waiting for a task") {
    const way left =
        GENERATE(&awaits, &waits_for_all, &waits_for_the_first, &waits_for_a_failure, &shields_it,
                 &takes_it, &races_for_it, &has_a_child_for_it, &cleans_up_with_it);
    const way right = GENERATE(&shields_it, &takes_it);
    on_workers(multi, [&](unsigned workers) {
        run(finds_a_circle_of(left, right), {.workers = workers});
    });
}

TEST_CASE("where one is enough, a circle is found if there is no way out") {
    const bool by_when_any = GENERATE(false, true);
    on_workers(multi, [&](unsigned workers) {
        run(finds_a_circle_with_both_ways_out(by_when_any), {.workers = workers});
    });
}

TEST_CASE("a task that has the only turn and waits for one without is found") {
    on_workers(multi, [](unsigned workers) {
        run(finds_a_circle_through_a_turn(), {.workers = workers});
    });
}

TEST_CASE("what has a way out is in no circle") {
    const open_way how = GENERATE(&first_of_two, &failure_of_two, &for_a_time, &ticket_of_two,
                                  &next_for_a_time, &race_with_a_timer, &race_with_one_that_runs,
                                  &in_a_timeout, &in_a_limit_around_children, &in_a_scope,
                                  &for_a_future, &any_of_future_and_task, &for_a_start);
    on_workers(multi, [&](unsigned workers) { run(finds_nothing_in(how), {.workers = workers}); });
}

TEST_CASE("a limit that its body has moved counts as it is") {
    const bool to_none = GENERATE(false, true);
    on_workers(multi, [&](unsigned workers) {
        run(heeds_a_limit_that_is_moved(to_none), {.workers = workers});
    });
}
