// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/wait.hpp"

#include <csignal>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

void cancel_all(const std::vector<task<>>& tasks) {
    for (const task<>& t : tasks) t.cancel();
}

/// Ends the tasks behind it as well: a wait that is cancelled leaves them alone. What was cancelled
/// in its place, when the runtime closes, is thrown.
coro<> waits_for(std::vector<task<>> tasks, wait_options options) {
    const scope_exit leaving{[&tasks] { cancel_all(tasks); }};
    const wait_result<task<>> result = co_await wait(tasks, options);
    if (result.done.empty()) throw std::logic_error("the wait is over, but no task has ended");
    for (const task<>& t : tasks) co_await t;  // the gate may go afterwards
}

coro<> waits_for_a_task(gate& g) {
    std::vector<task<>> one;
    one.push_back(create_task(pass(g)));
    co_await waits_for(std::move(one), {});
}

coro<> waits_with_a_limit(gate& g) {
    std::vector<task<>> two;
    two.push_back(create_task(pass(g)));
    two.push_back(create_task(pass(g)));
    const wait_options options{.timeout = far, .return_when = return_when::first_completed};
    co_await waits_for(std::move(two), options);
}

coro<int> fails() {
    throw std::runtime_error("failed");
    co_return 0;
}

coro<int> value_when_open(gate& g, int value) {
    co_await g;
    co_return value;
}

coro<int> at_once(int value) { co_return value; }

coro<> first_exception(gate& g) {
    task<int> stopped = create_task(value_when_open(g, 1));
    task<int> ok = create_task(at_once(2));
    task<int> open_end = create_task(value_when_open(g, 3));
    stopped.cancel();
    co_await ended(stopped);
    co_await ended(ok);
    task<int> bad = create_task(fails());
    std::vector<task<int>> all{stopped, ok, open_end, bad};
    auto [done, pending] =
        co_await wait(std::move(all), {.return_when = return_when::first_exception});
    // Neither the cancelled task nor the one with a value has ended it.
    CHECK(done == std::vector<task<int>>{stopped, ok, bad});
    CHECK(pending == std::vector<task<int>>{open_end});
    CHECK(outcome_of(bad) == "failed");

    std::vector<task<int>> rest{stopped, open_end};
    g.open();
    auto last = co_await wait(std::move(rest), {.return_when = return_when::first_exception});
    CHECK(last.done.size() == 2);
    CHECK(last.pending.empty());
}

coro<> errors_stay_unseen() {
    std::vector<task<int>> one;
    one.push_back(create_task(fails()));
    auto result = co_await wait(std::move(one));
    CHECK(result.done.size() == 1);
}

coro<> waits_for_nothing() { co_await wait(std::vector<task<>>{}); }

/// Of a limit that is over.
coro<> gives_a_first_step(time_limit over) {
    gate g;
    task<int> quick = create_task(at_once(1));
    task<int> slow = create_task(value_when_open(g, 2));
    std::vector<task<int>> both{quick, slow};
    auto [done, pending] = co_await wait(std::move(both), {.timeout = over});
    CHECK(done == std::vector<task<int>>{quick});
    CHECK(pending == std::vector<task<int>>{slow});
    CHECK(g.waiting() == 1);
    g.open();
    co_await slow;
}

coro<> waits_for_itself(gate& named, const task<>& self) {
    co_await pass(named);
    std::vector<any_task> all{self};
    std::string what;
    try {
        co_await wait(std::move(all));
    } catch (const usage_error& e) {
        what = e.what();
    }
    CHECK(what.find("cannot wait for itself") != std::string::npos);
}

coro<> starts_one_that_waits_for_itself() {
    gate named;
    task<> self;
    self = create_task(waits_for_itself(named, self));
    named.open();
    co_await self;
}

/// Looks again and again at a task that does not end, as a loop with a limit does.
coro<> looks_often(gate& g, int times) {
    task<int> slow = create_task(value_when_open(g, 1));
    while (g.waiting() == 0) co_await yield();
    for (int i = 0; i < times; ++i) {
        std::vector<task<int>> one{slow};
        const auto result =
            co_await wait(std::move(one), {.timeout = std::chrono::microseconds{1}});
        if (result.pending.size() != 1) throw std::logic_error("the task is not pending");
    }
    CHECK_FALSE(detail::task_access::state(slow)->has_awaiters());
    g.open();
    std::vector<task<int>> one{slow};
    const auto last = co_await wait(std::move(one));
    CHECK(last.done.size() == 1);
}

coro<int> waits_for_an_empty_handle() {
    std::vector<task<>> none(1);
    co_await wait(std::move(none));
    co_return 0;
}

}  // namespace

TEST_CASE("wait passes the checklist of waiting") {
    waiting_function how = GENERATE(&waits_for_a_task, &waits_with_a_limit);
    check_waiting(how);
}

TEST_CASE("wait for the first exception is not ended by values and cancellations") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        run(first_exception(g), {.workers = workers});
    });
}

TEST_CASE("an error that a wait has come upon still counts as never observed") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(errors_stay_unseen());
        }
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].what == failure::kind::never_observed);
    });
}

TEST_CASE("wait for nothing is refused") {
    CHECK_THROWS_AS(run(waits_for_nothing(), {.workers = 1}), std::invalid_argument);
}

TEST_CASE("a wait of no time gives fresh tasks their first step") {
    on_workers(single, [](unsigned workers) {
        for (const time_limit over :
             {time_limit{0s}, time_limit{-1s}, time_limit{std::chrono::steady_clock::now() - 1s}}) {
            run(gives_a_first_step(over), {.workers = workers});
        }
    });
}

TEST_CASE("a task that waits for itself is told so") {
    on_workers(multi, [](unsigned workers) {
        run(starts_one_that_waits_for_itself(), {.workers = workers});
    });
}

TEST_CASE("waits that ended leave nothing with the task they looked at") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        run(looks_often(g, 200), {.workers = workers});
    });
}

TEST_CASE("an empty task handle given to wait is refused with a sentence") {
    const child_result result =
        in_child([] { return run(waits_for_an_empty_handle(), {.workers = 1}); });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("empty task handle") != std::string::npos);
}
