// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/shield.hpp"

#include <csignal>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/gather.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// Ends the task behind it as well: a shield does not.
coro<> shields_a_task(gate& g) {
    const task<> inner = create_task(pass(g));
    const scope_exit leaving{[inner] { inner.cancel(); }};
    co_await shield(inner);
}

coro<> shields_a_gather(gate& g) {
    const task<> inner = create_task(pass(g));
    const scope_exit leaving{[inner] { inner.cancel(); }};
    auto shielded = shield(gather(inner, inner));
    co_await shielded;
}

coro<> fails_when_open(gate& started, gate& g) {
    started.open();
    co_await g;
    throw std::runtime_error("late");
}

coro<> awaits_shielded(gate& started, gate& g) { co_await shield(fails_when_open(started, g)); }

/// Nobody has a handle to what is shielded.
coro<> leaves_a_failing_task(gate& g) {
    gate started;
    task<> outer = create_task(awaits_shielded(started, g));
    co_await started;
    CHECK(outer.cancel());
    co_await ended(outer);
    CHECK(outer.cancelled());
    g.open();
    while (all_tasks().size() > 1) co_await yield();
}

coro<std::unique_ptr<int>> moves_only() { co_return std::make_unique<int>(7); }

coro<> kinds_of_arguments() {
    const std::unique_ptr<int> from_a_coroutine = co_await shield(moves_only());
    CHECK(*from_a_coroutine == 7);
    task<std::unique_ptr<int>> t = create_task(moves_only());
    const std::unique_ptr<int>& in_place = co_await shield(t);
    CHECK(in_place.get() == t.result().get());
    const std::unique_ptr<int> moved = co_await shield(std::move(t));
    CHECK(*moved == 7);
    promise<std::string> p;
    p.set_result("kept");
    const std::string taken = co_await shield(p.get_future());
    const std::string again = co_await shield(p.get_future());
    CHECK(taken == "kept");
    CHECK(again == taken);
    auto [first, second] = co_await shield(gather(moves_only(), moves_only()));
    CHECK(*first + *second == 14);
    any_task unknown = create_task(moves_only());
    co_await shield(unknown);
    CHECK(unknown.done());
}

coro<> shields_itself(gate& named, const task<>& self) {
    co_await pass(named);
    std::string what;
    try {
        co_await shield(self);
    } catch (const usage_error& e) {
        what = e.what();
    }
    CHECK(what.find("cannot await itself") != std::string::npos);
}

coro<> starts_one_that_shields_itself() {
    gate named;
    task<> self;
    self = create_task(shields_itself(named, self));
    named.open();
    co_await self;
}

coro<int> awaits_twice(gate& g) {
    const task<> inner = create_task(pass(g));
    auto shielded = shield(inner);
    g.open();
    co_await shielded;
    co_await shielded;
    co_return 0;
}

coro<int> shields_nothing() {
    co_await shield(task<>{});
    co_return 0;
}

/// A request that comes before a shield of what is done waits for the next suspension.
coro<> does_not_look_for_requests() {
    task<std::unique_ptr<int>> t = create_task(moves_only());
    co_await ended(t);
    current_task().cancel();
    const std::unique_ptr<int>& value = co_await shield(t);
    CHECK(*value == 7);
    bool thrown = false;
    try {
        co_await yield();
    } catch (const cancelled&) {
        thrown = true;
    }
    CHECK(thrown);
}

}  // namespace

TEST_CASE("shield passes the checklist of waiting") {
    waiting_function how = GENERATE(&shields_a_task, &shields_a_gather);
    check_waiting(how);
}

TEST_CASE("an error after a shield was left is reported once as never observed") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        gate g;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(leaves_a_failing_task(g));
        }
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].what == failure::kind::never_observed);
        CHECK(reports.all()[0].message.find("late") != std::string::npos);
    });
}

TEST_CASE("shield takes coroutines, tasks and other awaitables, and gives what they give") {
    on_workers(multi, [](unsigned workers) { run(kinds_of_arguments(), {.workers = workers}); });
}

TEST_CASE("a shield of a task that is done is no cancellation point") {
    on_workers(multi,
               [](unsigned workers) { run(does_not_look_for_requests(), {.workers = workers}); });
}

TEST_CASE("a task that shields itself is told so") {
    on_workers(multi, [](unsigned workers) {
        run(starts_one_that_shields_itself(), {.workers = workers});
    });
}

TEST_CASE("a shield that is awaited twice, or of an empty handle, is refused with a sentence") {
    const child_result twice = in_child([] {
        gate g;
        return run(awaits_twice(g), {.workers = 1});
    });
    CHECK(twice.signal == SIGABRT);
    CHECK(twice.output.find("a shield is awaited once") != std::string::npos);
    const child_result empty = in_child([] { return run(shields_nothing(), {.workers = 1}); });
    CHECK(empty.signal == SIGABRT);
    CHECK(empty.output.find("empty task handle") != std::string::npos);
}
