// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section H: wait_for.
#include "weft/time/with_timeout.hpp"

#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

coro<std::string> gives_after(std::chrono::nanoseconds delay, std::string value) {
    co_await sleep(delay);
    co_return value;
}

coro<> within_the_limit() {
    std::string limited = co_await wait_for(gives_after(unit(), "done"), 10 * soon);
    CHECK(limited == "done");
    stopwatch watch;
    std::string unlimited = co_await wait_for(gives_after(unit(), "done"), std::nullopt);
    CHECK(unlimited == "done");
    CHECK(watch.elapsed() >= unit());
    std::optional<std::chrono::seconds> none;
    std::string optional = co_await wait_for(create_task(gives_after(unit(), "task")), none);
    CHECK(optional == "task");
    CHECK(current_task().cancelling() == 0);
}

coro<int> cleans_up_for(gate& started, std::chrono::nanoseconds delay, bool& clean) {
    std::exception_ptr stop;
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    co_await sleep(delay);
    clean = true;
    std::rethrow_exception(stop);
    co_return 0;
}

coro<> expiry_waits_for_the_clean_up() {
    gate started;
    bool clean = false;
    stopwatch watch;
    task<int> t = create_task(cleans_up_for(started, 2 * unit(), clean));
    bool clean_at_the_end = false;
    std::exception_ptr cause;
    co_await started;
    try {
        co_await wait_for(t, unit());
    } catch (const timeout_error& e) {
        clean_at_the_end = clean;
        cause = e.cause();
    }
    CHECK(clean_at_the_end);
    CHECK(watch.elapsed() >= 3 * unit());
    CHECK(t.cancelled());
    CHECK(is_cancellation(cause));
    CHECK(current_task().cancelling() == 0);
}

coro<> throws_when_stopped() {
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        throw std::domain_error("foo");
    }
}

coro<> the_clean_ups_error_wins() {
    std::string of_coro;
    try {
        co_await wait_for(throws_when_stopped(), unit());
    } catch (const std::domain_error& e) {
        of_coro = e.what();
    }
    CHECK(of_coro == "foo");
    task<> t = create_task(throws_when_stopped());
    std::string of_task;
    try {
        co_await wait_for(t, unit());
    } catch (const std::domain_error& e) {
        of_task = e.what();
    }
    CHECK(of_task == "foo");
    CHECK(current_task().cancelling() == 0);
}

coro<int> works_until(std::chrono::steady_clock::time_point end, bool& exited) {
    while (std::chrono::steady_clock::now() < end) {
        try {
            co_await sleep_until(end);
        } catch (const cancelled&) {
        }
    }
    exited = true;
    co_return 7;
}

coro<> waits_for_what_ignores_it() {
    for (bool as_task : {false, true}) {
        bool exited = false;
        stopwatch watch;
        coro<int> work = works_until(std::chrono::steady_clock::now() + 4 * unit(), exited);
        int value = 0;
        if (as_task) {
            task<int> t = create_task(std::move(work));
            value = co_await wait_for(t, 2 * unit());
        } else {
            value = co_await wait_for(std::move(work), 2 * unit());
        }
        CHECK(exited);
        CHECK(watch.elapsed() >= 4 * unit());
        CHECK(value == 7);
        CHECK(current_task().cancelling() == 0);
    }
}

coro<> sleeps(gate& started) {
    started.open();
    co_await sleep(far);
}

coro<> waits_with(task<> inner, time_limit limit, std::string& seen) {
    try {
        co_await wait_for(inner, limit);
    } catch (const timeout_error&) {
        seen = "timeout_error";
        throw;
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> cancelling_it_cancels_the_inner_task(time_limit limit) {
    gate started;
    std::string seen;
    task<> inner = create_task(sleeps(started));
    task<> outer = create_task(waits_with(inner, limit, seen));
    co_await started;
    while (seen.empty() && !outer.done()) {
        outer.cancel("from outside");
        co_await ended(outer);
    }
    if (seen.empty()) {  // cancelled before it began
        inner.cancel();
        co_await ended(inner);
        co_return;
    }
    CHECK(seen == "from outside");
    CHECK(outer.cancelled());
    CHECK(inner.cancelled());
}

/// `watch(t)`: what is waited for in the task's place.
template <class Watch>
coro<> a_task_that_is_spared(Watch watch) {
    task<std::string> t = create_task(gives_after(3 * unit(), "done"));
    stopwatch time;
    bool expired = false;
    try {
        co_await wait_for(watch(t), unit());
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(time.elapsed() >= unit());
    CHECK_FALSE(t.cancelled());
    std::string value = co_await t;
    CHECK(value == "done");
}

coro<> spares_tasks() {
    co_await a_task_that_is_spared([](const task<std::string>& t) { return ended(t); });
    co_await a_task_that_is_spared([](const task<std::string>& t) { return shield(t); });
}

const task_local<int> set_inside{0};

coro<> sets_a_task_local() {
    co_await yield();
    set_inside.set(1);
}

coro<any_task> who_runs() {
    co_await yield();
    co_return current_task();
}

coro<> runs_in_the_callers_task() {
    any_task inside = co_await wait_for(who_runs(), soon);
    CHECK(inside == current_task());
    std::size_t tasks_before = all_tasks().size();
    std::size_t tasks_inside = 0;
    const auto counts = [&tasks_inside](timeout_scope&) -> coro<> {
        co_await yield();
        tasks_inside = all_tasks().size();
    };
    co_await with_timeout(soon, counts);
    CHECK(tasks_inside == tasks_before);
    co_await wait_for(sets_a_task_local(), soon);
    CHECK(set_inside.get() == 1);
    set_inside.set(2);
    co_await create_task(sets_a_task_local());
    co_await gather(sets_a_task_local());
    CHECK(set_inside.get() == 2);
}

}  // namespace

TEST_CASE("C095 wait_for gives the value of what ends in time, and knows no limit as well") {
    on_workers(multi, [](unsigned workers) { run(within_the_limit(), {.workers = workers}); });
}

TEST_CASE("C096 wait_for throws timeout_error once the inner clean-up is over") {
    on_workers(multi, [](unsigned workers) {
        run(expiry_waits_for_the_clean_up(), {.workers = workers});
    });
}

TEST_CASE("C098 wait_for throws what the inner clean-up throws") {
    on_workers(multi,
               [](unsigned workers) { run(the_clean_ups_error_wins(), {.workers = workers}); });
}

TEST_CASE("C099 wait_for waits for an operation that ignores it, and gives its value") {
    on_workers(multi,
               [](unsigned workers) { run(waits_for_what_ignores_it(), {.workers = workers}); });
}

TEST_CASE("C101 cancelling wait_for cancels what it waits for") {
    on_workers(multi, [](unsigned workers) {
        run(cancelling_it_cancels_the_inner_task(std::chrono::seconds{60}), {.workers = workers});
        run(cancelling_it_cancels_the_inner_task(std::nullopt), {.workers = workers});
    });
}

TEST_CASE("C102 wait_for of something that only watches a task spares the task") {
    on_workers(multi, [](unsigned workers) { run(spares_tasks(), {.workers = workers}); });
}

TEST_CASE("C105 wait_for runs its coroutine in the caller's task") {
    on_workers(multi,
               [](unsigned workers) { run(runs_in_the_callers_task(), {.workers = workers}); });
}
