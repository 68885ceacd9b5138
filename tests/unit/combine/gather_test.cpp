// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/gather.hpp"

#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> gathers_a_pack(gate& g) { co_await gather(pass(g), pass(g)); }

coro<> gathers_a_range(gate& g) {
    std::vector<coro<>> children;
    for (int i = 0; i < 3; ++i) children.push_back(pass(g));
    co_await gather(std::move(children));
}

coro<> gathers_tasks(gate& g) {
    task<> first = create_task(pass(g));
    task<> second = create_task(pass(g));
    co_await gather(first, second, first);
}

coro<> settles(gate& g) {
    auto [a, b] = co_await gather_settled(pass(g), pass(g));
    if (!a.has_value()) std::rethrow_exception(a.error());
}

coro<> child_of_a_cancelled_gather(event_log& log, gate& started, std::chrono::nanoseconds time) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    co_await sleep(time);
    log.add("ended");
    std::rethrow_exception(stop);
}

coro<> gathers_unequal(event_log& log, gate& s1, gate& s2, bool settled) {
    task<> quick = create_task(child_of_a_cancelled_gather(log, s1, unit()));
    // Long enough that a loaded machine sees the first end in time.
    const auto longer = settled ? 3 * unit() : 12 * unit();
    task<> slow = create_task(child_of_a_cancelled_gather(log, s2, longer));
    if (settled)
        co_await gather_settled(quick, slow);
    else
        co_await gather(quick, slow);
}

/// Plain gather ends with the first child that was stopped, the settling one with the last.
coro<> cancelled_gather_ends(bool settled) {
    event_log log;
    gate s1, s2;
    task<> t = create_task(gathers_unequal(log, s1, s2, settled));
    co_await s1;
    co_await s2;
    stopwatch watch;
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.lines().size() == (settled ? 2u : 1u));
    CHECK(watch.elapsed() >= (settled ? 3 : 1) * unit());
    while (all_tasks().size() > 1) co_await yield();
}

coro<int> fails_now() {
    throw std::runtime_error("now");
    co_return 0;
}

coro<int> five() { co_return 5; }

coro<> gathers_what_is_done() {
    task<int> a = create_task(five());
    task<int> b = create_task(fails_now());
    co_await ended(a);
    co_await ended(b);
    auto [x, y] = co_await gather(a, a);
    CHECK(x + y == 10);
    std::string what;
    try {
        co_await gather(a, b);
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "now");
    auto [ra, rb] = co_await gather_settled(a, b);
    CHECK(*ra == 5);
    CHECK(text_of(rb.error()) == "now");
}

coro<std::unique_ptr<int>> moves_only() { co_return std::make_unique<int>(4); }

coro<> moves_values_out() {
    auto [a, b] = co_await gather(moves_only(), moves_only());
    CHECK(*a + *b == 8);
    auto [c] = co_await gather_settled(moves_only());
    CHECK(**c == 4);
    std::vector<coro<bool>> flags;
    std::vector<bool> none = co_await gather(std::move(flags));
    CHECK(none.empty());
}

coro<int> fails_when_stopped(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    throw std::runtime_error("clean-up failed");
}

coro<> settles_failing(gate& s1, gate& s2) {
    co_await gather_settled(fails_when_stopped(s1), fails_when_stopped(s2));
}

coro<> cancels_settling_gather() {
    gate s1, s2;
    task<> t = create_task(settles_failing(s1, s2));
    co_await s1;
    co_await s2;
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
    while (all_tasks().size() > 1) co_await yield();
}

coro<> nothing() { co_return; }

coro<> gathers_itself(gate& named, const task<>& self) {
    co_await pass(named);
    gate g;
    task<> bystander = create_task(pass(g));
    bool told = false;
    try {
        co_await gather(bystander, self);
    } catch (const usage_error& e) {
        told = std::string{e.what()}.find("cannot await itself") != std::string::npos;
    }
    CHECK(told);
    CHECK_FALSE(bystander.done());
    g.open();
    co_await bystander;
}

coro<> starts_one_that_gathers_itself() {
    gate named;
    task<> self;
    self = create_task(gathers_itself(named, self));
    named.open();
    co_await self;
}

coro<> asks_itself_to_stop_before_it_gathers() {
    task<int> a = create_task(five());
    task<int> b = create_task(fails_now());
    co_await ended(a);
    co_await ended(b);
    current_task().cancel();
    auto [x, y] = co_await gather(a, a);
    CHECK(x + y == 10);
    std::vector<task<int>> all{a, b};
    const auto outcomes = co_await gather_settled(std::move(all));
    CHECK(outcomes.size() == 2);
    std::string what;
    try {
        co_await gather(a, b);
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "now");
    bool is_delivered = false;
    try {
        co_await yield();
    } catch (const cancelled&) {
        is_delivered = true;
    }
    CHECK(is_delivered);
}

coro<> looks_at_gathers_of_nothing() {
    auto pack = gather();
    const gather_handle of_pack = pack.handle();
    CHECK(of_pack.done());
    CHECK(of_pack.exception() == nullptr);
    CHECK_FALSE(of_pack.cancel());
    co_await pack;
    auto window = gather({.limit = 1}, std::vector<coro<int>>{});
    const gather_handle of_window = window.handle();
    const std::vector<int> none = co_await window;
    CHECK(none.empty());
    CHECK(of_window.done());
}

coro<int> gathers_twice() {
    auto both = gather(nothing(), nothing());
    co_await both;
    co_await both;
    co_return 0;
}

coro<int> forks_twice() {
    auto both = when_all(nothing(), nothing());
    co_await both;
    co_await both;
    co_return 0;
}

coro<int> limits_twice() {
    auto limited = with_timeout(std::chrono::hours{1}, nothing());
    co_await limited;
    co_await limited;
    co_return 0;
}

}  // namespace

TEST_CASE("gather passes the checklist of waiting") {
    waiting_function wait = GENERATE(&gathers_a_pack, &gathers_a_range, &gathers_tasks, &settles);
    check_waiting(wait);
}

TEST_CASE("a cancelled gather ends with its first stopped child, a settling one with its last") {
    bool settled = GENERATE(false, true);
    on_workers(multi, [settled](unsigned workers) {
        run(cancelled_gather_ends(settled), {.workers = workers});
    });
}

TEST_CASE("gather of tasks that are done") {
    on_workers(multi, [](unsigned workers) { run(gathers_what_is_done(), {.workers = workers}); });
}

TEST_CASE("gather of tasks that are done is no cancellation point") {
    on_workers(multi, [](unsigned workers) {
        run(asks_itself_to_stop_before_it_gathers(), {.workers = workers});
    });
}

TEST_CASE("a gather of nothing is done at once, as its handle says") {
    run(looks_at_gathers_of_nothing(), {.workers = 1});
}

TEST_CASE("gather moves the values of coroutines") {
    on_workers(multi, [](unsigned workers) { run(moves_values_out(), {.workers = workers}); });
}

TEST_CASE("the errors of a settling gather count as observed even if it is cancelled") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(cancels_settling_gather());
        }
        CHECK(reports.all().empty());
    });
}

TEST_CASE("a task that gathers itself is told so") {
    on_workers(multi, [](unsigned workers) {
        run(starts_one_that_gathers_itself(), {.workers = workers});
    });
}

TEST_CASE("an empty task handle given to gather is refused with a sentence") {
    child_result result = in_child([] {
        auto gathers = []() -> coro<int> {
            task<> none;
            co_await gather(none, none);
            co_return 0;
        };
        return run(gathers(), {.workers = 1});
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("empty task handle") != std::string::npos);
}

TEST_CASE("awaiting a gather, a when_all or a with_timeout twice is refused with a sentence") {
    for (coro<int> (*twice)() : {&gathers_twice, &forks_twice, &limits_twice}) {
        child_result result = in_child([twice] { return run(twice(), {.workers = 1}); });
        CHECK(result.signal == SIGABRT);
        CHECK(result.output.find("is awaited once") != std::string::npos);
    }
}
