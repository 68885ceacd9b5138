// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section B: starting tasks, and what their handles say. Section C: introspection (its task-local
// values are in section_c_test.cpp).
#include "weft/task/create_task.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> logs_and_yields(event_log& log, std::string name) {
    log.add(name);
    co_await yield();
    log.add(name + " again");
}

coro<> starts_three(event_log& log) {
    task<> a = create_task(logs_and_yields(log, "A"));
    task<> b = create_task(logs_and_yields(log, "B"));
    task<> c = create_task(logs_and_yields(log, "C"));
    CHECK(log.lines().empty());
    co_await a;
    co_await b;
    co_await c;
}

template <class T>
coro<T> returns_after(std::chrono::nanoseconds delay, T value) {
    co_await sleep(delay);
    co_return value;
}

coro<> awaits_two() {
    stopwatch watch;
    auto t1 = create_task(returns_after<std::string>(3 * unit(), "r1"));
    auto t2 = create_task(returns_after<std::string>(2 * unit(), "r2"));
    std::string first = co_await t1;
    std::string second = co_await t2;
    auto elapsed = watch.elapsed();
    CHECK(first == "r1");
    CHECK(second == "r2");
    CHECK(elapsed >= 3 * unit());
    CHECK(elapsed * 10 < 9 * 5 * unit());
}

coro<> awaits_a_thousand() {
    stopwatch watch;
    std::vector<task<int>> tasks;
    for (int i = 0; i < 1000; ++i) tasks.push_back(create_task(returns_after(unit(), i)));
    bool right = true;
    for (int i = 0; i < 1000; ++i) {
        int value = co_await tasks[static_cast<std::size_t>(i)];
        right = right && value == i;
    }
    CHECK(right);
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() * 10 < 1000 * unit());
}

coro<std::string> returns_once_open(gate& g) {
    co_await g;
    co_return "result";
}

coro<> asks_before_and_after() {
    gate g;
    auto t = create_task(returns_once_open(g));
    CHECK_FALSE(t.done());
    co_await sleep(unit());
    CHECK_FALSE(t.done());
    g.open();
    std::string value = co_await t;
    CHECK(value == "result");
    CHECK(t.done());
    CHECK_FALSE(t.cancelled());
    CHECK(t.result() == "result");
}

coro<> throws_x(std::atomic<int>& runs) {
    ++runs;
    co_await yield();
    throw std::invalid_argument("x");
}

coro<std::string> describes(task<> t) {
    try {
        co_await t;
    } catch (const std::invalid_argument& e) {
        co_return e.what();
    }
    co_return "nothing";
}

coro<> three_observers() {
    std::atomic<int> runs{0};
    task<> t = create_task(throws_x(runs));
    task<std::string> a = create_task(describes(t));
    task<std::string> b = create_task(describes(t));
    std::string first = co_await a;
    std::string second = co_await b;
    std::string third = co_await describes(t);
    CHECK(first == "x");
    CHECK(second == "x");
    CHECK(third == "x");
    CHECK(runs == 1);
    co_await yield();
}

coro<> questions_about_outcomes() {
    gate g;
    auto pending = create_task(returns_once_open(g));
    CHECK_THROWS_AS(pending.result(), invalid_state_error);
    CHECK_THROWS_AS(pending.exception(), invalid_state_error);
    g.open();
    co_await pending;
    CHECK(pending.exception() == nullptr);

    std::atomic<int> runs{0};
    task<> failing = create_task(throws_x(runs));
    co_await describes(failing);
    CHECK(text_of(failing.exception()) == "x");
    CHECK_THROWS_WITH(failing.result(), "x");

    task<> stopped = create_task(coro_sleep(far));
    stopped.cancel();
    while (!stopped.done()) co_await yield();
    CHECK_THROWS_AS(stopped.exception(), cancelled);
    CHECK_THROWS_AS(stopped.result(), cancelled);
}

coro<> sets_after(std::chrono::nanoseconds delay, std::atomic<int>& flag) {
    co_await sleep(delay);
    flag = 1;
}

coro<> drops_a_handle(std::atomic<int>& flag) {
    create_task(sets_after(unit(), flag));
    co_await sleep(4 * unit());
    CHECK(flag == 1);
}

coro<std::string> awaits_itself(gate& ready, task<std::string>& self) {
    co_await ready;
    try {
        co_await self;
    } catch (const usage_error& e) {
        co_return e.what();
    }
    co_return "no error";
}

coro<> starts_a_narcissist() {
    gate ready;
    task<std::string> t;
    t = create_task(awaits_itself(ready, t));
    ready.open();
    std::string said = co_await t;
    CHECK(said.find("cannot await itself") != std::string::npos);
    t = {};
}

enum class after_failure { nothing, exception, cancel };

coro<int> leaves_a_failed_task(after_failure then) {
    std::atomic<int> runs{0};
    {
        task<> t = create_task(throws_x(runs), {.name = "failing"});
        while (!t.done()) co_await yield();
        if (then == after_failure::exception) CHECK(t.exception() != nullptr);
        if (then == after_failure::cancel) CHECK_FALSE(t.cancel());
    }
    co_return 1;
}

coro<int> counts_down(int n) {
    if (n == 0) co_return 0;
    int below = co_await counts_down(n - 1);
    co_return below + 1;
}

coro<int> one() { co_return 1; }

coro<> awaits_without_tasks() {
    std::size_t tasks = all_tasks().size();
    int depth = co_await counts_down(100);
    int sum = 0;
    for (int i = 0; i < 100'000; ++i) {
        int next = co_await one();
        sum += next;
    }
    CHECK(depth == 100);
    CHECK(sum == 100'000);
    CHECK(all_tasks().size() == tasks);
}

coro<std::string> logs_around_a_wait(event_log& log, gate& g) {
    const any_task before = current_task();
    log.add("1");
    co_await g;
    log.add("2");
    co_return current_task() == before ? before.name() : "another task";
}

coro<> throws_at_once() {
    throw std::invalid_argument("at once");
    co_return;
}

coro<int> gives_five() { co_return 5; }

coro<> starts_eagerly() {
    const any_task self = current_task();
    event_log log;
    gate g;
    auto t =
        create_task(logs_around_a_wait(log, g), {.name = "eager", .start = start_policy::eager});
    CHECK(log.lines() == std::vector<std::string>{"1"});
    CHECK_FALSE(t.done());
    CHECK(current_task() == self);
    g.open();
    const std::string name = co_await t;
    CHECK(name == "eager");
    CHECK(current_task() == self);
    CHECK(log.lines() == std::vector<std::string>{"1", "2"});

    task<> failed = create_task(throws_at_once(), {.start = start_policy::eager});
    CHECK(failed.done());
    std::string said;
    try {
        co_await failed;
    } catch (const std::invalid_argument& e) {
        said = e.what();
    }
    CHECK(said == "at once");

    task<int> over = create_task(gives_five(), {.start = start_policy::eager});
    CHECK(over.done());
    CHECK_FALSE(over.cancel());
    const int five = co_await over;
    CHECK(five == 5);
}

coro<> finishes() { co_return; }

coro<> lingers(gate& cancelled_now, gate& go) {
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        cancelled_now.open();
    }
    co_await go;
    throw cancelled{};
}

bool same_tasks(std::vector<any_task> found, std::vector<any_task> expected) {
    return found.size() == expected.size() && std::ranges::is_permutation(found, expected);
}

coro<> lists_tasks() {
    any_task main = current_task();
    task<> a = create_task(finishes());
    task<> b = create_task(coro_sleep(far));
    co_await a;
    CHECK(same_tasks(all_tasks(), {main, b}));

    gate cancelled_now;
    gate go;
    task<> c = create_task(lingers(cancelled_now, go));
    co_await yield();
    c.cancel();
    while (!cancelled_now.is_open() && !c.done()) co_await yield();
    if (!c.done()) CHECK(same_tasks(all_tasks(), {main, b, c}));
    go.open();
    b.cancel();
    while (!b.done() || !c.done()) co_await yield();
}

coro<> spawns_many(std::atomic<int>& finished) {
    for (int i = 0; i < 10'000; ++i) {
        co_await create_task(finishes());
        ++finished;
    }
}

coro<> lists_while_others_spawn() {
    any_task main = current_task();
    std::atomic<int> finished{0};
    std::vector<task<>> spawners;
    for (int i = 0; i < 4; ++i) spawners.push_back(create_task(spawns_many(finished)));
    bool main_always_there = true;
    std::size_t names = 0;
    while (!std::ranges::all_of(spawners, [](const task<>& t) { return t.done(); })) {
        std::vector<any_task> found = all_tasks();
        main_always_there = main_always_there && std::ranges::count(found, main) == 1;
        for (const any_task& t : found) names += t.name().size();
        co_await yield();
    }
    CHECK(main_always_there);
    CHECK(names != 0);
    CHECK(finished == 40'000);
    CHECK(all_tasks().size() == 1);
}

}  // namespace

TEST_CASE("C017 tasks start in the order of their creation") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(starts_three(log), {.workers = workers});
        std::vector<std::string> lines = log.lines();
        lines.resize(3);
        CHECK(lines == std::vector<std::string>{"A", "B", "C"});
    });
}

TEST_CASE("C018 two tasks take as long as the longer one") {
    on_workers(multi, [](unsigned workers) { run(awaits_two(), {.workers = workers}); });
}

TEST_CASE("C020 a thousand sleeping tasks run concurrently") {
    on_workers(multi, [](unsigned workers) { run(awaits_a_thousand(), {.workers = workers}); });
}

TEST_CASE("C021 done, cancelled and result before and after the end") {
    on_workers(multi, [](unsigned workers) { run(asks_before_and_after(), {.workers = workers}); });
}

TEST_CASE("C023 every awaiter of a failed task gets its exception") {
    on_workers(multi, [](unsigned workers) { run(three_observers(), {.workers = workers}); });
}

TEST_CASE("C024 result and exception of tasks that wait, returned, threw or were cancelled") {
    on_workers(multi,
               [](unsigned workers) { run(questions_about_outcomes(), {.workers = workers}); });
}

TEST_CASE("C026 dropping the handle neither cancels nor destroys the task") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> flag{0};
        run(drops_a_handle(flag), {.workers = workers});
    });
}

TEST_CASE("C027 a task that awaits itself gets an error there") {
    on_workers(multi, [](unsigned workers) { run(starts_a_narcissist(), {.workers = workers}); });
}

TEST_CASE("C029 an exception that nobody observed is reported once, an observed one never") {
    on_workers(multi, [](unsigned workers) {
        for (after_failure then :
             {after_failure::nothing, after_failure::exception, after_failure::cancel}) {
            failure_log reports;
            {
                runtime r{{.workers = workers}};
                reports.attach(r);
                CHECK(r.block_on(leaves_a_failed_task(then)) == 1);
            }
            if (then != after_failure::nothing) {
                CHECK(reports.all().empty());
                continue;
            }
            REQUIRE(reports.all().size() == 1);
            CHECK(reports.all()[0].what == failure::kind::never_observed);
            CHECK(reports.all()[0].task_name == "failing");
            CHECK(reports.all()[0].message.find("never observed") != std::string::npos);
        }
    });
}

TEST_CASE("C030 awaiting coroutines makes no task and no stack") {
    on_workers(multi, [](unsigned workers) { run(awaits_without_tasks(), {.workers = workers}); });
}

TEST_CASE("C032 an eager task runs inside of create_task until it first suspends") {
    on_workers(multi, [](unsigned workers) { run(starts_eagerly(), {.workers = workers}); });
}

TEST_CASE("C038 all_tasks lists what is not done, cancelled tasks that clean up included") {
    on_workers(multi, [](unsigned workers) { run(lists_tasks(), {.workers = workers}); });
}

TEST_CASE("C039 all_tasks while tasks come and go") {
    on_workers(multi,
               [](unsigned workers) { run(lists_while_others_spawn(), {.workers = workers}); });
}
