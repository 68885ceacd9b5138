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
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

/// The text of the only error in the group that `error` is; else what it is.
std::string only_error(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const exception_group& group) {
        return group.exceptions().size() == 1 ? "[" + text_of(group.exceptions()[0]) + "]"
                                              : group.what();
    } catch (...) {
        return text_of(error);
    }
}

template <class T>
coro<std::string> outcome(coro<T> of) {
    std::exception_ptr error;
    try {
        co_await std::move(of);
    } catch (...) {
        error = std::current_exception();
    }
    co_return error ? only_error(error) : "value";
}

coro<> one_child(task_group& group, gate& g) {
    group.create_task(pass(g));
    co_return;
}

coro<> awaits_one_child(task_group& group, gate& g) {
    task<> child = group.create_task(pass(g));
    co_await child;
}

coro<> waits_at_the_end(gate& g) { co_await task_group::run(one_child, std::ref(g)); }

coro<> waits_in_the_body(gate& g) { co_await task_group::run(awaits_one_child, std::ref(g)); }

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

coro<> waits_with_a_limit(gate& g) {
    co_await task_group::run(task_group_options{.limit = 1}, two_with_one_turn, std::ref(g));
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

}  // namespace

TEST_CASE("the end of a group passes the checklist") { check_waiting(waits_at_the_end); }
TEST_CASE("a group's body passes the checklist") { check_waiting(waits_in_the_body); }
TEST_CASE("a start passes the checklist") { check_waiting(waits_for_a_start); }
TEST_CASE("a group with a limit passes the checklist") { check_waiting(waits_with_a_limit); }

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
