// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Fairness of the loop and the rounds of shutdown.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/runtime.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

/// Wakes its partner through a gate each turn: two of these keep the run-next slot busy.
coro<> ping_pong(std::vector<std::unique_ptr<gate>>& gates, std::size_t first,
                 std::atomic<bool>& enough) {
    for (std::size_t i = first; i + 1 < gates.size(); i += 2) {
        co_await *gates[i];
        gates[i + 1]->open();
        if (enough) break;
    }
    for (auto& g : gates) g->open();
}

coro<int> progresses(int turns) {
    int done = 0;
    for (int i = 0; i < turns; ++i) {
        co_await yield();
        ++done;
    }
    co_return done;
}

coro<> third_task_beside_ping_pong() {
    std::vector<std::unique_ptr<gate>> gates;
    for (int i = 0; i < 20'000; ++i) gates.push_back(std::make_unique<gate>());
    std::atomic<bool> enough{false};
    task<> ping = create_task(ping_pong(gates, 0, enough));
    task<> pong = create_task(ping_pong(gates, 1, enough));
    task<int> third = create_task(progresses(100));
    gates[0]->open();
    int done = co_await third;
    CHECK(done == 100);
    CHECK_FALSE(gates.back()->is_open());  // it had its turns while the others were at it
    enough = true;
    co_await ping;
    co_await pong;
}

coro<> yields_until(std::atomic<bool>& enough) {
    while (!enough) co_await yield();
}

coro<> does_nothing() { co_return; }

coro<> awaits_new_tasks_until(std::atomic<bool>& enough) {
    while (!enough) co_await create_task(does_nothing());
}

/// A task that ends resumes the one that awaits it: others and timers get their turns all the same.
coro<> others_beside_awaits_of_new_tasks() {
    std::atomic<bool> enough{false};
    task<> busy = create_task(awaits_new_tasks_until(enough));
    const int done = co_await progresses(100);
    CHECK(done == 100);
    co_await sleep(std::chrono::milliseconds{1});
    enough = true;
    co_await busy;
}

coro<> timers_beside_yielding_tasks() {
    std::atomic<bool> enough{false};
    std::vector<task<>> busy;
    for (int i = 0; i < 10; ++i) busy.push_back(create_task(yields_until(enough)));
    co_await sleep(std::chrono::milliseconds{1});
    enough = true;
    co_await gather(std::move(busy));
}

coro<int> fib(int n) {
    if (n < 2) co_return n;
    auto [a, b] = co_await when_all(fib(n - 1), fib(n - 2));
    co_return a + b;
}

coro<> sets(std::atomic<bool>& flag) {
    flag = true;
    co_return;
}

coro<> forks_beside_a_task() {
    std::atomic<bool> ran{false};
    task<int> heavy = create_task(fib(22));
    task<> light = create_task(sets(ran));
    while (!ran) co_await yield();
    CHECK_FALSE(heavy.done());
    int value = co_await heavy;
    CHECK(value == 17'711);
}

coro<> sets_flag(std::atomic<bool>& flag) {
    flag = true;
    co_return;
}

coro<> injected_beside_busy_workers(std::atomic<bool>& flag, gate& busy_now) {
    std::vector<task<>> busy;
    for (int i = 0; i < 10; ++i) busy.push_back(create_task(yields_until(flag)));
    busy_now.open();
    co_await gather(std::move(busy));
}

/// Blocks its worker, without an await, until somebody else has run the other task.
coro<> blocks_until_served(coro<> other, std::atomic<bool>& flag, bool started_before) {
    task<> t = create_task(std::move(other));
    if (started_before) co_await yield();
    while (!flag) detail::real_environment::relax();
    co_await t;
}

coro<> sleeps_and_sets(std::atomic<bool>& flag) {
    co_await sleep(std::chrono::milliseconds{5});
    flag = true;
}

coro<> starts_child_when_stopped(gate& started, event_log& log) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        log.add("parent stopped");
    }
    create_task(coro_sleep(far), {.name = "late child"});
}

coro<> leaves_a_parent(event_log& log, gate& started) {
    create_task(starts_child_when_stopped(started, log));
    co_await started;
}

coro<> never_stops(gate& started) {
    started.open();
    for (;;) {
        try {
            co_await sleep(far);
        } catch (const cancelled&) {
        }
    }
}

coro<> leaves_a_stubborn_task() {
    static gate started;
    create_task(never_stops(started), {.name = "stubborn"});
    co_await started;
}

}  // namespace

TEST_CASE("two tasks that wake each other do not starve a third") {
    on_workers(single,
               [](unsigned workers) { run(third_task_beside_ping_pong(), {.workers = workers}); });
}

TEST_CASE("timers fire although tasks are always ready") {
    on_workers(multi,
               [](unsigned workers) { run(timers_beside_yielding_tasks(), {.workers = workers}); });
}

TEST_CASE("a task has its turn beside a burst of forked children") {
    on_workers(single, [](unsigned workers) { run(forks_beside_a_task(), {.workers = workers}); });
}

TEST_CASE("a task from outside has its turn although every worker is busy") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<bool> flag{false};
        gate busy;
        runtime r{{.workers = workers}};
        task<> main = r.spawn(injected_beside_busy_workers(flag, busy));
        r.block_on(pass(busy));
        r.spawn(sets_flag(flag));
        r.block_on(ended(main));
    });
}

TEST_CASE("a ready task and a timer of a worker that computes are served by the others") {
    on_workers({2, 4}, [](unsigned workers) {
        std::atomic<bool> ready{false};
        run(blocks_until_served(sets_flag(ready), ready, false), {.workers = workers});
        std::atomic<bool> timer{false};
        run(blocks_until_served(sleeps_and_sets(timer), timer, true), {.workers = workers});
        CHECK(ready);
        CHECK(timer);
    });
}

TEST_CASE("tasks that a dying task starts are stopped in the next round") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        gate started;
        stopwatch watch;
        run(leaves_a_parent(log, started), {.workers = workers});
        CHECK(log.lines() == lines{"parent stopped"});
        CHECK(watch.elapsed() < soon);
    });
}

TEST_CASE("what does not stop before the deadline of shutdown is named and left behind") {
    child_result result = in_child([] {
        runtime r{{.workers = 2, .shutdown_timeout = std::chrono::milliseconds{20}}};
        r.block_on(leaves_a_stubborn_task());
        r.close();
        r.close();
        return 3;
    });
    CHECK(result.exit_code == 3);
    CHECK(result.output.find("stubborn") != std::string::npos);
    CHECK(result.output.find("did not stop") != std::string::npos);
}

TEST_CASE("tasks and timers have their turn beside one that awaits new tasks for ever") {
    const auto workers = GENERATE(1u, 2u);
    run(others_beside_awaits_of_new_tasks(), {.workers = workers});
}

TEST_CASE("statistics count what the workers do") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        r.block_on(timers_beside_yielding_tasks());
        r.close();
        runtime_statistics s = r.statistics();
        CHECK(s.resumptions > 10);
        CHECK(s.timers_fired >= 1);
        CHECK(s.injected >= 1);
        CHECK(s.timers_armed == 0);
        CHECK(s.live_tasks == 0);
    });
}
