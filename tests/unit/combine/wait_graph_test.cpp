// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What each way of waiting for other tasks tells to dumps.
#include "weft/sched/task_dump.hpp"

#include "support/catch.hpp"
#include "wait_ways.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// Two tasks that wait for a gate, and what is named `waits`, which waits for them.
struct stage {
    gate g;
    task<> a = create_task(pass(g), {.name = "a"});
    task<> b = create_task(pass(g), {.name = "b"});

    [[nodiscard]] std::vector<task<>> both() const { return {a, b}; }
};

/// As the reports of long runs find it.
any_task oldest_awaiter_of(const any_task& t) {
    using access = detail::task_access;
    return access::adopt(access::state(t)->oldest_awaiter());
}

coro<> leave(stage& on, task<> waits) {
    on.g.open();
    co_await ended(waits);
    co_await ended(on.a);
    co_await ended(on.b);
}

coro<> shows_a_wait(wait_options options, bool is_limited) {
    stage on;
    task<> waits = create_task(waits_for(on.both(), options));
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"a", "b"});
    CHECK(told.at.one_is_enough == (options.return_when == return_when::first_completed));
    CHECK(told.at.one_failure_is_enough == (options.return_when == return_when::first_exception));
    CHECK(told.at.has_limit == is_limited);
    CHECK_FALSE(told.at.is_open);
    const std::string text = to_text(told);
    INFO(text);
    CHECK(has(text, told.at.one_is_enough ? "waits for one of a (task" : "waits for a (task"));
    CHECK(has(text, " (or one that fails)") == told.at.one_failure_is_enough);
    CHECK(has(text, " (with a time limit)") == told.at.has_limit);
    const std::string json = to_json({&told, 1});
    INFO(json);
    CHECK(
        has(json, told.at.one_is_enough ? R"("one_is_enough":true)" : R"("one_is_enough":false)"));
    CHECK(has(json, told.at.has_limit ? R"("has_limit":true)" : R"("has_limit":false)"));
    CHECK(has(json, R"("is_open":false)"));
    co_await leave(on, waits);
}

coro<> shields(task<> other) { co_await shield(other); }

coro<> shows_a_shield() {
    stage on;
    task<> waits = create_task(shields(on.a));
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"a"});
    CHECK_FALSE(told.at.is_open);
    const await_chain chain = waits.await_chain();
    CHECK(chain.tasks.size() == 2);
    co_await leave(on, waits);
}

coro<> shows_as_completed(bool has_limit) {
    stage on;
    task<> waits = create_task(has_limit ? takes_the_next(on.both()) : takes_a_ticket(on.both()));
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"a", "b"});
    CHECK(told.at.one_is_enough);
    CHECK(told.at.has_limit == has_limit);
    CHECK_FALSE(told.at.is_open);
    CHECK(has(to_text(told), "waits for one of a (task"));
    CHECK(oldest_awaiter_of(on.a) == waits);
    co_await leave(on, waits);
}

/// Who has handed its tasks to an as_completed and waits for something else names nobody.
coro<> finds_who_waits_behind_an_as_completed() {
    stage on;
    auto done = as_completed(on.both());
    CHECK_FALSE(oldest_awaiter_of(on.a));
    task<> waits = create_task(joins(on.a));
    static_cast<void>(co_await told_once_it_waits(waits));
    CHECK(oldest_awaiter_of(on.a) == waits);
    co_await leave(on, waits);
}

coro<> cleans_up_with(task<> other) {
    auto cleanup = [&other] { return joins(other); };
    co_await with_cleanup(coro_sleep(0ms), cleanup, {.shielded = true});
}

coro<> shows_a_shielded_cleanup() {
    stage on;
    task<> waits = create_task(cleans_up_with(on.a));
    task_description told = co_await told_once_it_waits(waits);
    while (told.at.children.empty()) told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at.children.at(0)) == names{"a"});
    CHECK(has(to_text(told), "waits for 1 child"));
    co_await leave(on, waits);
}

coro<> shows_a_when_any() {
    stage on;
    task<> waits = create_task(races(on.a, on.b));
    task_description told = co_await told_once_it_waits(waits);
    while (told.at.children.size() < 2) {
        co_await yield();
        told = co_await told_once_it_waits(waits);
    }
    CHECK(told.at.one_is_enough);
    CHECK_FALSE(told.at.is_open);
    CHECK(names_of(told.at.children[0]).size() == 1);
    INFO(to_text(told));
    CHECK(has(to_text(told), "waits for one of 2 children"));
    CHECK(has(to_text(told), "child that waits for "));
    co_await leave(on, waits);
}

coro<> adds_two(task_group& group, stage& on) {
    group.create_task({.name = "first"}, joins, on.a);
    group.create_task({.name = "second"}, joins, on.b);
    co_return;
}

coro<> runs_a_group(stage& on, std::size_t limit) {
    co_await task_group::run(task_group_options{.limit = limit}, adds_two, std::ref(on));
}

coro<> shows_a_group() {
    stage on;
    task<> waits = create_task(runs_a_group(on, 0));
    task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"first", "second"});
    CHECK_FALSE(told.at.one_is_enough);
    CHECK_FALSE(told.at.is_open);
    CHECK(has(to_text(told), "waits for first (task"));
    co_await leave(on, waits);
}

/// Also who is asked to stop and declines.
coro<> declines_once(gate& never, gate& asked, gate& g) {
    try {
        co_await never;
    } catch (const cancelled&) {
        asked.open();
    }
    co_await g;
}

coro<> adds_one_that_declines(task_group& group, gate& never, gate& asked, gate& g) {
    group.create_task({.name = "declines"}, declines_once, std::ref(never), std::ref(asked),
                      std::ref(g));
    co_return;
}

coro<> runs_one_that_declines(gate& never, gate& asked, gate& g) {
    co_await task_group::run(adds_one_that_declines, std::ref(never), std::ref(asked), std::ref(g));
}

coro<> shows_a_group_that_stops() {
    gate never;
    gate asked;
    gate g;
    task<> waits = create_task(runs_one_that_declines(never, asked, g));
    while (never.waiting() == 0) co_await yield();
    static_cast<void>(co_await told_once_it_waits(waits));
    waits.cancel();
    co_await asked;
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"declines"});
    g.open();
    co_await ended(waits);
}

coro<> shows_who_has_the_turns() {
    stage on;
    task<> waits = create_task(runs_a_group(on, 1));
    task_description group = co_await told_once_it_waits(waits);
    REQUIRE(names_of(group.at) == names{"first", "second"});
    std::vector<task_description> all = dump_tasks();
    auto second = std::ranges::find(all, "second", &task_description::name);
    REQUIRE(second != all.end());
    CHECK(second->at.waits_for == "semaphore");
    CHECK(names_of(second->at) == names{"first"});
    CHECK(second->at.one_is_enough);
    CHECK(has(to_text(*second), "waits for semaphore held by one of first (task"));
    co_await leave(on, waits);
}

coro<> starts(task_group& group, gate& g) {
    co_await group.start({.name = "late"}, reports_late, std::ref(g));
}

coro<> starts_in_a_group(gate& g) { co_await task_group::run(starts, std::ref(g)); }

coro<> shows_a_start() {
    gate g;
    task<> waits = create_task(starts_in_a_group(g));
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(names_of(told.at) == names{"late"});
    CHECK(told.at.is_open);
    g.open();
    co_await ended(waits);
}

coro<> awaits_future(future<int> f) { co_await f; }

coro<> shows_a_future() {
    promise<int> p;
    task<> waits = create_task(awaits_future(p.get_future()));
    const task_description told = co_await told_once_it_waits(waits);
    CHECK(told.at.tasks.empty());
    REQUIRE(told.at.futures.size() == 1);
    CHECK(has(told.at.futures[0].function_name(), "shows_a_future"));
    INFO(to_text(told));
    CHECK(has(to_text(told), "waits for a future of "));
    CHECK(has(to_json({&told, 1}), R"("futures":[{"function":)"));
    p.set_result(1);
    co_await ended(waits);
}

coro<> limited(gate& g) { co_await with_timeout(std::chrono::hours{1}, pass(g)); }
coro<> limited_scope(gate& g) {
    cancel_scope scope{std::chrono::hours{1}};
    co_await scope.run(pass(g));
}
coro<> limited_then_not(gate& g, gate& h) {
    co_await with_timeout(std::chrono::hours{1}, pass(g));
    co_await h;
}

coro<> shows_limits_around() {
    gate g;
    gate h;
    task<> by_timeout = create_task(limited(g));
    task<> by_scope = create_task(limited_scope(g));
    task<> later = create_task(limited_then_not(g, h));
    while (g.waiting() < 3) co_await yield();
    for (const task<>* each : {&by_timeout, &by_scope, &later}) {
        await_chain chain = each->await_chain();
        while (chain.tasks.at(0).phase != task_phase::waiting) {
            co_await yield();
            chain = each->await_chain();
        }
        CHECK(chain.tasks.at(0).at.has_limit);
        CHECK(has(to_text(chain), "event (with a time limit)"));
    }
    g.open();
    await_chain chain = later.await_chain();
    while (h.waiting() == 0 || chain.tasks.at(0).phase != task_phase::waiting) {
        co_await yield();
        chain = later.await_chain();
    }
    CHECK_FALSE(chain.tasks.at(0).at.has_limit);
    h.open();
    co_await by_timeout;
    co_await by_scope;
    co_await later;
}

}  // namespace

TEST_CASE("a dump shows the tasks of a wait, and when it ends") {
    const auto when = GENERATE(return_when::all_completed, return_when::first_completed,
                               return_when::first_exception);
    const bool limited = GENERATE(false, true);
    wait_options options{.return_when = when};
    if (limited) options.timeout = std::chrono::hours{1};
    on_workers(multi, [&](unsigned workers) {
        run(shows_a_wait(options, limited), {.workers = workers});
    });
}

TEST_CASE("a dump shows what a shield and an as_completed wait for") {
    on_workers(multi, [](unsigned workers) {
        run(shows_a_shield(), {.workers = workers});
        run(shows_as_completed(false), {.workers = workers});
        run(shows_as_completed(true), {.workers = workers});
    });
}

TEST_CASE("the one that waits for a task is found behind an as_completed") {
    on_workers(multi, [](unsigned workers) {
        run(finds_who_waits_behind_an_as_completed(), {.workers = workers});
    });
}

TEST_CASE("a dump shows what a shielded clean-up waits for") {
    on_workers(multi,
               [](unsigned workers) { run(shows_a_shielded_cleanup(), {.workers = workers}); });
}

TEST_CASE("a dump shows the children of a when_any, of which one is enough") {
    on_workers(multi, [](unsigned workers) { run(shows_a_when_any(), {.workers = workers}); });
}

TEST_CASE("a dump shows the open tasks of a group, also those that were asked to stop") {
    on_workers(multi, [](unsigned workers) {
        run(shows_a_group(), {.workers = workers});
        run(shows_a_group_that_stops(), {.workers = workers});
        run(shows_who_has_the_turns(), {.workers = workers});
        run(shows_a_start(), {.workers = workers});
    });
}

TEST_CASE("a dump shows where the promise of a future was made") {
    on_workers(multi, [](unsigned workers) { run(shows_a_future(), {.workers = workers}); });
}

TEST_CASE("a dump shows limits around what waits, until they end") {
    on_workers(multi, [](unsigned workers) { run(shows_limits_around(), {.workers = workers}); });
}
