// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The rules of section L that have no case of their own: order of errors, the wait at the end,
// children that are cancelled, groups in groups.
#include "weft/combine/task_group.hpp"

#include <functional>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/group_outcome.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> fails_in_clean_up(gate& started) {
    started.open();
    bool is_stopped = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        is_stopped = true;
    }
    co_await yield();
    if (is_stopped) throw std::domain_error("division by zero");
}

coro<> fails_twice(task_group& group, gate& first) {
    group.create_task(fails_at(first, "first"));
    group.create_task(fails_in_clean_up(first));
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        throw std::invalid_argument("body");
    }
}

coro<> all_errors_in_order() {
    gate first;
    std::string ended = co_await outcome(task_group::run(fails_twice, std::ref(first)));
    CHECK(ended == "[first, division by zero, body]");
}

coro<> awaits_a_failing_child(task_group& group, gate& now) {
    task<> child = group.create_task(fails_at(now, "child"));
    now.open();
    co_await child;
}

coro<> an_error_is_listed_once() {
    for (int i = 0; i < 50; ++i) {
        gate now;
        std::string ended =
            co_await outcome(task_group::run(awaits_a_failing_child, std::ref(now)));
        CHECK(ended == "[child]");
    }
}

coro<> cleans_up_for(std::chrono::nanoseconds time, gate& started, gate& asked, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    asked.open();
    try {
        co_await sleep(time);
        log.add("cleaned up");
    } catch (const cancelled&) {
        log.add("interrupted");
    }
    std::rethrow_exception(stop);
}

coro<> one_that_cleans_up(task_group& group, gate& started, gate& asked, event_log& log) {
    group.create_task(cleans_up_for(2 * unit(), started, asked, log));
    co_await started;
}

coro<> exit_cannot_be_shortened(event_log& log) {
    gate started, asked;
    task<> owner = create_task(
        task_group::run(one_that_cleans_up, std::ref(started), std::ref(asked), std::ref(log)));
    co_await started;
    owner.cancel();
    co_await asked;
    stopwatch watch;
    for (int i = 0; i < 5; ++i) CHECK(owner.cancel());
    CHECK(owner.cancelling() == 6);
    co_await ended(owner);
    CHECK(watch.elapsed() >= unit());
    CHECK(owner.cancelled());
    CHECK(log.lines() == lines{"cleaned up"});
}

coro<> cancels_itself() {
    co_await yield();
    throw cancelled{};
}

coro<> gives_to(int& place) {
    co_await sleep(unit());
    place = 1;
}

coro<int> cancels_one_child(task_group& group, int& place) {
    task<> first = group.create_task(coro_sleep(far));
    group.create_task(cancels_itself());
    group.create_task(gives_to(place));
    co_await yield();
    first.cancel();
    co_return 7;
}

coro<> cancelled_children_are_ignored() {
    int place = 0;
    int value = co_await task_group::run(cancels_one_child, std::ref(place));
    CHECK(value == 7);
    CHECK(place == 1);
}

coro<> fails_inside(task_group& group) {
    group.create_task(fails_after(unit(), "inner"));
    co_await sleep(far);
}

coro<> contains_a_group(task_group& group, event_log& log) {
    group.create_task(sleeps(log, "outer child"));
    co_await task_group::run(fails_inside);
}

coro<> contains_a_group_task(task_group& group, event_log& log) {
    group.create_task(task_group::run(fails_inside));
    co_await sleeps(log, "outer body");
}

coro<> groups_nest(event_log& log) {
    std::string in_body = co_await outcome(task_group::run(contains_a_group, std::ref(log)));
    std::string in_child = co_await outcome(task_group::run(contains_a_group_task, std::ref(log)));
    CHECK(in_body == "[[inner]]");
    CHECK(in_child == "[[inner]]");
    CHECK(log.count("outer body cancelled") == 1);
    CHECK(current_task().cancelling() == 0);
}

}  // namespace

TEST_CASE("all errors of a group, in the order in which they happened") {
    on_workers(multi, [](unsigned workers) { run(all_errors_in_order(), {.workers = workers}); });
}

TEST_CASE("the end of a group cannot be shortened") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(exit_cannot_be_shortened(log), {.workers = workers});
    });
}

TEST_CASE("a cancelled child is no failure") {
    on_workers(multi, [](unsigned workers) {
        run(cancelled_children_are_ignored(), {.workers = workers});
    });
}

TEST_CASE("groups nest") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(groups_nest(log), {.workers = workers});
    });
}

TEST_CASE("an error that the body got from a child is listed once") {
    on_workers(multi,
               [](unsigned workers) { run(an_error_is_listed_once(), {.workers = workers}); });
}
