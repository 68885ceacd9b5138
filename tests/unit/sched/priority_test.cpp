// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Priorities: who inherits which, who comes first, and who never starves.
#include "weft/ports/priority.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/runtime.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;
constexpr task_options at_latency{.priority = priority::latency};
constexpr task_options in_background{.priority = priority::background};

coro<priority> own() { co_return current_task().priority(); }

coro<> inherits() {
    CHECK(current_task().priority() == priority::normal);
    priority child = co_await create_task(own());
    CHECK(child == priority::normal);
    child = co_await create_task(own(), at_latency);
    CHECK(child == priority::latency);
    current_task().set_priority(priority::background);
    child = co_await create_task(own());
    CHECK(child == priority::background);
    child = co_await create_task(own(), {.priority = priority::normal});
    CHECK(child == priority::normal);
    auto [a, b] = co_await gather(own(), own());
    CHECK((a == priority::background && b == priority::background));
    auto [c, d] = co_await when_all(own(), own());
    CHECK((c == priority::background && d == priority::background));
}

coro<> logs(event_log& log, std::string line) {
    log.add(line);
    co_return;
}

coro<> starts_one_of_each(event_log& log) {
    std::vector<task<>> all;
    all.push_back(create_task(logs(log, "background"), in_background));
    all.push_back(create_task(logs(log, "normal")));
    all.push_back(create_task(logs(log, "latency"), at_latency));
    co_await gather(std::move(all));
}

coro<> raises(std::atomic<bool>& flag) {
    flag = true;
    co_return;
}

coro<> yields_until(std::atomic<bool>& flag) {
    while (!flag) co_await yield();
}

/// Several tasks of one priority never end until one of another has run.
coro<> runs_beside(priority busy, priority waiting) {
    std::atomic<bool> ran{false};
    std::vector<task<>> all;
    for (int i = 0; i < 10; ++i) all.push_back(create_task(yields_until(ran), {.priority = busy}));
    co_await yield();
    all.push_back(create_task(raises(ran), {.priority = waiting}));
    co_await gather(std::move(all));
}

coro<> nothing() { co_return; }

/// A computation of nothing but forks, which ends once a background task has run.
coro<> forks_until(std::atomic<bool>& ran) {
    const stopwatch watch;
    while (!ran && watch.elapsed() < soon) co_await when_all(nothing(), nothing());
}

coro<> forks_beside_the_background(unsigned workers) {
    std::atomic<bool> ran{false};
    task<> waits = create_task(raises(ran), in_background);
    std::vector<coro<>> all;
    for (unsigned i = 0; i < 2 * workers; ++i) all.push_back(forks_until(ran));
    co_await when_all(std::move(all));
    const bool in_time = ran;
    co_await waits;
    CHECK(in_time);
}

coro<> forks_and_counts(std::atomic<int>& rounds, std::atomic<bool>& over) {
    const stopwatch watch;
    while (!over && watch.elapsed() < soon) {
        co_await when_all(nothing(), nothing());
        ++rounds;
    }
}

coro<> forks_until_it_counts(std::atomic<int>& rounds, std::atomic<bool>& over) {
    const stopwatch watch;
    const int before = rounds;
    while (rounds == before && watch.elapsed() < soon) co_await when_all(nothing(), nothing());
    over = true;
    CHECK(watch.elapsed() < soon);
}

/// The forks of a background task lie over those of a normal one, or before another background
/// task.
coro<> background_forks_end() {
    std::atomic<int> rounds{0};
    std::atomic<bool> over{false};
    std::vector<task<>> all;
    all.push_back(create_task(forks_and_counts(rounds, over)));
    all.push_back(create_task(forks_until_it_counts(rounds, over), in_background));
    co_await gather(std::move(all));
    std::atomic<bool> ran{false};
    const stopwatch watch;
    std::vector<task<>> both;
    both.push_back(create_task(forks_until(ran), in_background));
    both.push_back(create_task(raises(ran), in_background));
    co_await gather(std::move(both));
    CHECK(watch.elapsed() < soon);
}

coro<int> takes_turns(int turns) {
    for (int i = 0; i < turns; ++i) co_await yield();
    co_return turns;
}

coro<> raises_after(std::atomic<bool>& flag, int turns) {
    co_await takes_turns(turns);
    flag = true;
}

/// Forks for ever, a task of another priority whose turn comes at each end of a burst, and a normal
/// one that wants a few turns.
coro<> turns_beside_forks(priority third) {
    std::atomic<bool> done{false};
    std::vector<task<>> all;
    all.push_back(create_task(forks_until(done)));
    all.push_back(create_task(yields_until(done), {.priority = third}));
    co_await yield();
    all.push_back(create_task(raises_after(done, 50)));
    const stopwatch watch;
    co_await gather(std::move(all));
    CHECK(watch.elapsed() < soon);
}

void compute(std::chrono::microseconds time) {
    const stopwatch watch;
    while (watch.elapsed() < time) {
    }
}

coro<> step(std::atomic<int>& steps) {
    compute(100us);
    ++steps;
    co_return;
}

coro<> many_steps(std::atomic<int>& steps, int count) {
    std::vector<coro<>> all;
    for (int i = 0; i < count; ++i) all.push_back(step(steps));
    co_await when_all(std::move(all));
}

/// The forks of a background task come in small portions, and after what is ready.
coro<> turns_beside_background_forks() {
    std::atomic<int> steps{0};
    constexpr int count = 400;
    task<> work = create_task(many_steps(steps, count), in_background);
    while (steps == 0) co_await sleep(100us);
    int most = 0;
    for (int turn = 0; turn < 8; ++turn) {
        const int before = steps;
        co_await sleep(100us);
        most = std::max(most, steps - before);
    }
    CHECK(steps < count);
    CHECK(most <= 40);  // a portion of 16, and one that began before the timer was due
    co_await work;
    CHECK(steps == count);
}

/// The last one to begin notes how far `steps` is.
coro<> normal_step(std::atomic<int>& left, const std::atomic<int>& steps, std::atomic<int>& seen) {
    if (--left == 0) seen = steps.load();
    compute(1000us);
    co_return;
}

/// Two workers: one has the forks of a background task, the other many normal tasks.
coro<> forks_beside_a_busy_peer() {
    std::atomic<int> steps{0};
    std::atomic<int> left{400};
    task<> work = create_task(many_steps(steps, 10'000), in_background);
    while (steps == 0) std::this_thread::yield();  // this worker is not its home
    std::vector<task<>> all;
    std::atomic<int> seen{0};
    for (int i = left; i > 0; --i) all.push_back(create_task(normal_step(left, steps, seen)));
    const int before = steps;
    co_await gather(std::move(all));
    CHECK(seen - before < 1000);  // 2000 if that worker did nothing else
    work.cancel();
    co_await ended(work);
}

/// One worker computes for long with a task behind it, the other has only background tasks.
coro<> single_task_behind_a_long_run(std::atomic<bool>& over) {
    std::atomic<bool> ran{false};
    task<> behind = create_task(raises(ran));
    const stopwatch watch;
    while (!ran && watch.elapsed() < soon) {
    }
    over = true;
    CHECK(watch.elapsed() < soon);
    co_await behind;
}

coro<> beside_background_tasks() {
    std::atomic<bool> over{false};
    std::vector<task<>> all;
    for (int i = 0; i < 4; ++i) all.push_back(create_task(yields_until(over), in_background));
    co_await sleep(1ms);
    all.push_back(create_task(single_task_behind_a_long_run(over)));
    co_await gather(std::move(all));
}

/// Where it sleeps, moves and is woken, it stays what it is.
coro<> keeps_its_priority(priority mine, int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await yield();
        if (i % 16 == 0) co_await sleep(10us);
        if (current_task().priority() != mine) FAIL("lost its priority");
    }
}

coro<> all_keep_theirs() {
    std::vector<task<>> all;
    for (int i = 0; i < 60; ++i) {
        const auto mine = static_cast<priority>(i % 3);
        all.push_back(create_task(keeps_its_priority(mine, 200), {.priority = mine}));
    }
    co_await gather(std::move(all));
}

coro<> changes_its_mind(event_log& log) {
    task<> other = create_task(logs(log, "other"));
    current_task().set_priority(priority::background);
    co_await yield();
    log.add("self");
    co_await other;
}

/// Blocks its worker until the flag is up.
coro<> keeps_the_worker(gate& kept, std::atomic<bool>& flag) {
    kept.open();
    while (!flag) std::this_thread::yield();
    co_return;
}

}  // namespace

TEST_CASE("a task inherits the priority of its creator, unless the options name one") {
    on_workers(multi, [](unsigned workers) { run(inherits(), {.workers = workers}); });
}

TEST_CASE("a task from outside is normal, unless the options name a priority") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        CHECK(r.block_on(own()) == priority::normal);
        task<priority> t = r.spawn(own(), in_background);
        while (!t.done()) std::this_thread::yield();
        CHECK(t.result() == priority::background);
    });
}

TEST_CASE("what is no priority is refused") {
    on_workers(multi, [](unsigned workers) {
        constexpr auto none = static_cast<priority>(3);
        runtime r{{.workers = workers}};
        CHECK_THROWS_AS(r.spawn(own(), {.priority = none}), std::invalid_argument);
        task<priority> t = r.spawn(own());
        CHECK_THROWS_AS(t.set_priority(none), std::invalid_argument);
        r.block_on(ended(t));
        CHECK(t.priority() == priority::normal);
    });
}

TEST_CASE("one worker takes latency first, then normal, then background") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(starts_one_of_each(log), {.workers = workers});
        CHECK(log.lines() == lines{"latency", "normal", "background"});
    });
}

TEST_CASE("a priority that changes counts from the next suspension on") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(changes_its_mind(log), {.workers = workers});
        CHECK(log.lines() == lines{"other", "self"});
    });
}

TEST_CASE("no priority starves another") {
    const priority busy = GENERATE(priority::latency, priority::normal);
    const priority waiting = GENERATE(priority::normal, priority::background);
    on_workers(multi,
               [=](unsigned workers) { run(runs_beside(busy, waiting), {.workers = workers}); });
}

TEST_CASE("forks that never end do not starve the background") {
    on_workers(multi, [](unsigned workers) {
        run(forks_beside_the_background(workers), {.workers = workers});
    });
}

TEST_CASE("normal tasks have their turns beside forks, whatever is due between bursts") {
    const priority third = GENERATE(priority::latency, priority::normal, priority::background);
    on_workers(multi,
               [=](unsigned workers) { run(turns_beside_forks(third), {.workers = workers}); });
}

TEST_CASE("the background is not starved by what comes from outside") {
    on_workers({1, 2}, [](unsigned workers) {
        std::atomic<bool> done{false};
        std::atomic<int> outstanding{0};
        runtime r{{.workers = workers}};
        task<> waits = r.spawn(raises_after(done, 5), in_background);
        auto spends = [](std::atomic<int>& count) -> coro<> {
            compute(20us);
            --count;
            co_return;
        };
        const stopwatch watch;
        while (!done && watch.elapsed() < soon) {
            if (outstanding > 2000) continue;
            ++outstanding;
            r.spawn(spends(outstanding));
        }
        CHECK(done);
        while (outstanding != 0) std::this_thread::yield();
    });
}

TEST_CASE("forks of a background task make way for what a peer has more of") {
    on_workers({2},
               [](unsigned workers) { run(forks_beside_a_busy_peer(), {.workers = workers}); });
}

TEST_CASE("a task behind a long run does not wait for a peer's background to end") {
    on_workers({2}, [](unsigned workers) { run(beside_background_tasks(), {.workers = workers}); });
}

TEST_CASE("forks of a background task end for forks below them, and for another such task") {
    on_workers(multi, [](unsigned workers) { run(background_forks_end(), {.workers = workers}); });
}

TEST_CASE("forks of a background task let others have their turn") {
    on_workers(single, [](unsigned workers) {
        run(turns_beside_background_forks(), {.workers = workers});
    });
}

TEST_CASE("a task keeps its priority wherever it runs") {
    on_workers(multi, [](unsigned workers) { run(all_keep_theirs(), {.workers = workers}); });
}

TEST_CASE("background tasks from outside let a normal one pass") {
    on_workers(single, [](unsigned workers) {
        std::atomic<bool> go{false};
        gate kept;
        event_log log;
        runtime r{{.workers = workers}};
        task<> keeper = r.spawn(keeps_the_worker(kept, go));
        while (!kept.is_open()) std::this_thread::yield();
        for (int i = 0; i < 1000; ++i) {
            r.spawn(logs(log, "background"), in_background);
        }
        task<> last = r.spawn(logs(log, "normal"));
        go = true;
        r.block_on(ended(last));
        const lines found = log.lines();
        const auto place = std::ranges::find(found, "normal") - found.begin();
        CHECK(place <= 100);
    });
}

TEST_CASE("an idle worker takes what is in the background of a busy one") {
    on_workers({2, 4}, [](unsigned workers) {
        std::atomic<bool> ran{false};
        runtime r{{.workers = workers}};
        auto blocks = [&]() -> coro<> {
            task<> t = create_task(raises(ran), in_background);
            while (!ran) std::this_thread::yield();
            co_await t;
        };
        r.block_on(blocks());
        CHECK(ran);
    });
}
