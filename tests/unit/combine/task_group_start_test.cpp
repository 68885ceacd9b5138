// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/group_start.hpp"

#include <atomic>
#include <functional>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/group_outcome.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/task_group.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> reports_at(task_status<>& status, gate& g) {
    co_await g;
    status.started();
}

coro<> starts_one(task_group& group, gate& g) { co_await group.start(reports_at, std::ref(g)); }

coro<> waits_for_a_start(gate& g) { co_await task_group::run(starts_one, std::ref(g)); }

coro<> two_with_one_turn(task_group& group, gate& g) {
    group.create_task(pass(g));
    group.create_task(pass(g));
    co_return;
}

/// And for the gate, as in task_group_test.cpp.
coro<> waits_with_a_limit(gate& g) {
    co_await task_group::run(task_group_options{.limit = 1}, two_with_one_turn, std::ref(g));
    co_await g;
}

// ---- start

coro<> serves(task_status<int>& status, gate& reported, gate& g, event_log& log) {
    co_await yield();
    status.started(8080);
    reported.open();
    co_await g;
    log.add("served");
}

coro<int> starts_a_server(task_group& group, gate& reported, gate& g, event_log& log) {
    int port = co_await group.start<int>(serves, std::ref(reported), std::ref(g), std::ref(log));
    log.add("started");
    co_await reported;
    g.open();
    co_return port;
}

coro<> starts() {
    gate reported, g;
    event_log log;
    int port =
        co_await task_group::run(starts_a_server, std::ref(reported), std::ref(g), std::ref(log));
    CHECK(port == 8080);
    CHECK(log.lines() == lines{"started", "served"});
}

coro<> fails_to_start(task_status<int>& /*status*/) {
    co_await yield();
    throw std::domain_error("address in use");
}

coro<> says_nothing(task_status<int>& /*status*/) { co_await yield(); }

coro<> stops_before_it_reports(task_status<int>& /*status*/) {
    co_await yield();
    throw cancelled{};
}

coro<> reports_twice(task_status<>& status, std::string& second) {
    status.started();
    try {
        status.started();
    } catch (const usage_error&) {
        second = "refused";
    }
    co_return;
}

coro<> bad_starts(task_group& group, event_log& log) {
    log.add(co_await outcome(group.start<int>(fails_to_start)));
    log.add(co_await outcome(group.start<int>(stops_before_it_reports)));
    bool is_misuse = false;
    try {
        co_await group.start<int>(says_nothing);
    } catch (const usage_error&) {
        is_misuse = true;
    }
    CHECK(is_misuse);
    std::string second;
    co_await group.start(reports_twice, std::ref(second));
    co_await yield();
    task<> other = group.create_task(coro_sleep(unit() / 5));
    co_await other;
    CHECK(second == "refused");
    log.add("the group goes on");
}

coro<> failed_starts(event_log& log) {
    co_await task_group::run(bad_starts, std::ref(log));
    CHECK(log.lines() == lines{"address in use", "cancelled", "the group goes on"});
}

coro<> fails_after_the_report(task_status<>& status) {
    status.started();
    co_await yield();
    throw std::domain_error("later");
}

coro<> starts_and_sleeps(task_group& group) {
    co_await group.start(fails_after_the_report);
    co_await sleep(far);
}

coro<> never_reports(task_status<>& /*status*/, gate& started, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add("child " + std::string{c.reason()});
        stop = std::current_exception();
    }
    for (int i = 0; i < 10; ++i) co_await yield();
    log.add("child has ended");
    std::rethrow_exception(stop);
}

coro<> starts_for_ever(task_group& group, gate& started, event_log& log) {
    try {
        co_await group.start(never_reports, std::ref(started), std::ref(log));
    } catch (const cancelled&) {
        log.add("starter");
        throw;
    }
}

coro<> cancelled_starts(event_log& log) {
    gate started;
    task<> owner = create_task(task_group::run(starts_for_ever, std::ref(started), std::ref(log)));
    co_await started;
    for (int i = 0; i < 20; ++i) co_await yield();
    owner.cancel("stop");
    owner.cancel("stop at once");
    co_await ended(owner);
    CHECK(owner.cancelled());
    CHECK(log.lines() == lines{"child stop", "child has ended", "starter"});
}

coro<> fails_when_open(gate& g) {
    co_await g;
    throw std::domain_error("sibling");
}

coro<> starts_beside_a_failure(task_group& group, gate& started, event_log& log) {
    group.create_task(fails_when_open(started));
    co_await starts_for_ever(group, started, log);
}

/// The group asks the child; the body's own request must not interrupt its clean-up.
coro<> stopped_starts(event_log& log) {
    gate started;
    std::string end = co_await outcome(
        task_group::run(starts_beside_a_failure, std::ref(started), std::ref(log)));
    CHECK(end == "[sibling]");
    CHECK(log.lines() == lines{"child a task of the group failed", "child has ended", "starter"});
}

/// Declines the starter's request, reports, and is the group's from then on.
coro<> declines_and_reports(task_status<int>& status, gate& started) {
    started.open();
    bool is_asked = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        is_asked = true;
    }
    if (is_asked) status.started(1);
    co_await sleep(far);
}

coro<int> starts_a_decliner(task_group& group, gate& started) {
    int value = co_await group.start<int>(declines_and_reports, std::ref(started));
    co_await yield();
    group.cancel();
    co_return value;
}

coro<> declined_starts() {
    gate started;
    task<int> owner = create_task(task_group::run(starts_a_decliner, std::ref(started)));
    co_await started;
    for (int i = 0; i < 20; ++i) co_await yield();
    owner.cancel();
    co_await ended(owner);
    CHECK(outcome_of(owner) == "value");
    CHECK(owner.cancelling() == 1);
}

coro<> reports_before_it_meets_the_request(task_status<>& status, any_task& starter) {
    co_await yield();
    starter.cancel("too late for the child");
    status.started();
    co_await sleep(far);
}

coro<> starts_what_has_not_met_it(task_group& group, any_task& starter, event_log& log) {
    starter = current_task();
    try {
        co_await group.start(reports_before_it_meets_the_request, std::ref(starter));
        log.add("started");
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        throw;
    }
}

coro<> starts_that_are_not_declined(event_log& log) {
    any_task starter;
    task<> owner =
        create_task(task_group::run(starts_what_has_not_met_it, std::ref(starter), std::ref(log)));
    co_await ended(owner);
    CHECK(owner.cancelled());
    CHECK(log.lines() == lines{"too late for the child"});
}

// ---- limit

struct census {
    std::atomic<int> now{0};
    std::atomic<int> most{0};
    std::atomic<int> all{0};
};

coro<> is_counted(census& c) {
    int now = ++c.now;
    for (int most = c.most; most < now && !c.most.compare_exchange_weak(most, now);) {
    }
    co_await yield();
    co_await sleep(std::chrono::microseconds{50});
    ++c.all;
    --c.now;
}

coro<> many(task_group& group, census& c, int count) {
    for (int i = 0; i < count; ++i) group.create_task(is_counted(c));
    co_await yield();
    for (int i = 0; i < count; ++i) group.create_task(is_counted(c));
}

coro<> few_at_a_time() {
    census c;
    co_await task_group::run(task_group_options{.limit = 3}, many, std::ref(c), 200);
    CHECK(c.all == 400);
    CHECK(c.most <= 3);
    CHECK(c.now == 0);
}

coro<> logs_when_open(event_log& log, std::string name, gate* g) {
    log.add("begins " + name);
    if (g != nullptr) co_await *g;
}

coro<> queued_children(task_group& group, event_log& log, gate& g) {
    task<> a = group.create_task(logs_when_open(log, "a", &g));
    task<> b = group.create_task(logs_when_open(log, "b", nullptr), {.name = "b"});
    task<> c = group.create_task(logs_when_open(log, "c", nullptr));
    task<> d = group.create_task(logs_when_open(log, "d", nullptr));
    for (int i = 0; i < 20; ++i) co_await yield();
    CHECK(log.lines() == lines{"begins a"});
    CHECK(b.name() == "b");
    CHECK_FALSE(b.done());
    CHECK(c.cancel("not needed"));
    co_await ended(c);  // while a has the only turn
    CHECK(c.cancelled());
    CHECK_FALSE(a.done());
    g.open();
    co_await d;
    CHECK(log.lines() == lines{"begins a", "begins b", "begins d"});
}

coro<> queues() {
    event_log log;
    gate g;
    co_await task_group::run(task_group_options{.limit = 1}, queued_children, std::ref(log),
                             std::ref(g));
}

coro<> fails_with_others_queued(task_group& group, event_log& log, gate& g) {
    group.create_task(fails_when_open(g));
    for (int i = 0; i < 20; ++i) group.create_task(logs_when_open(log, "queued", nullptr));
    g.open();
    co_await sleep(far);
}

coro<> queued_children_never_begin(event_log& log) {
    gate g;
    std::string end = co_await outcome(task_group::run(
        task_group_options{.limit = 1}, fails_with_others_queued, std::ref(log), std::ref(g)));
    CHECK(end == "[sibling]");
    CHECK(log.lines().empty());
    CHECK(all_tasks().size() == 1);
}

}  // namespace

TEST_CASE("a start passes the checklist") { check_waiting(waits_for_a_start); }
TEST_CASE("a group with a limit passes the checklist") { check_waiting(waits_with_a_limit); }

TEST_CASE("a child that reports before it meets the starter's cancellation does not decline it") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(starts_that_are_not_declined(log), {.workers = workers});
    });
}

TEST_CASE("start gives what the child reports, and the child goes on") {
    on_workers(multi, [](unsigned workers) { run(starts(), {.workers = workers}); });
}

TEST_CASE("a child that does not get as far as its report fails the start and not the group") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(failed_starts(log), {.workers = workers});
    });
}

TEST_CASE("a child that fails after its report fails the group") {
    on_workers(multi, [](unsigned workers) {
        std::string end = run(outcome(task_group::run(starts_and_sleeps)), {.workers = workers});
        CHECK(end == "[later]");
    });
}

TEST_CASE("cancelling a start cancels the child once and waits for it") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancelled_starts(log), {.workers = workers});
    });
}

TEST_CASE("a group that stops asks a child that is being started once") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(stopped_starts(log), {.workers = workers});
    });
}

TEST_CASE("a child that declines and reports is stopped with its group") {
    on_workers(multi, [](unsigned workers) { run(declined_starts(), {.workers = workers}); });
}

TEST_CASE("a limit is kept") {
    on_workers(multi, [](unsigned workers) { run(few_at_a_time(), {.workers = workers}); });
}

TEST_CASE("children beyond the limit wait in order and can be cancelled meanwhile") {
    on_workers(multi, [](unsigned workers) { run(queues(), {.workers = workers}); });
}

TEST_CASE("children that wait for their turn never begin once the group stops") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(queued_children_never_begin(log), {.workers = workers});
    });
}
