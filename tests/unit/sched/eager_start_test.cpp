// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that start inside of create_task.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/task/create_task.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

constexpr task_options eager{.start = start_policy::eager};

coro<> waits_eagerly(gate& g) {
    task<> t = create_task(pass(g), eager);
    co_await t;
}

coro<> waits_inside_of_an_eager_one(gate& g) {
    task<> t = create_task(waits_eagerly(g), eager);
    co_await t;
}

coro<int> one() { co_return 1; }

coro<int> one_later() {
    co_await yield();
    co_return 1;
}

coro<int> starts_deeper(int levels, int& begun_at_once) {
    if (levels == 0) co_return 0;
    int inside = 0;
    task<int> next = create_task(starts_deeper(levels - 1, inside), eager);
    begun_at_once = next.done() ? inside + 1 : inside;
    const int below = co_await next;
    co_return below + 1;
}

coro<> nests_deeply() {
    int begun_at_once = 0;
    const int levels = co_await starts_deeper(200, begun_at_once);
    CHECK(levels == 200);
    int few = 0;
    const int shallow = co_await starts_deeper(20, few);
    CHECK(shallow == 20);
    CHECK(few == 20);
}

coro<> logs(event_log& log, std::string what) {
    log.add(std::move(what));
    co_return;
}

/// Everything that hands a worker from one runnable to the next without its loop.
coro<int> does_much(event_log& log) {
    log.add("eager");
    task<> queued = create_task(logs(log, "queued"));
    auto [a, b] = co_await when_all(one_later(), one());
    co_await queued;
    const int c = co_await create_task(one());
    auto [d, e] = co_await gather(one(), one_later());
    const int f = co_await with_timeout(far, one_later());
    std::atomic<int> calls{0};
    const auto counts = [&calls](int) { ++calls; };
    co_await parallel_for(0, 100, counts);
    co_return a + b + c + d + e + f + calls - 100;
}

coro<> goes_on_before_others() {
    event_log log;
    task<> before = create_task(logs(log, "before"));
    task<int> t = create_task(does_much(log), eager);
    log.add("creator");
    CHECK_FALSE(t.done());
    const int sum = co_await t;
    CHECK(sum == 6);
    CHECK(log.lines() == lines{"eager", "creator", "before", "queued"});
    co_await before;
}

coro<int> does_much_quietly() {
    event_log log;
    const int sum = co_await does_much(log);
    co_return sum;
}

coro<> starts_many() {
    std::vector<task<int>> tasks;
    for (int i = 0; i < 200; ++i) tasks.push_back(create_task(does_much_quietly(), eager));
    int sum = 0;
    for (task<int>& t : tasks) sum += co_await t;
    CHECK(sum == 1200);
}

/// Of many children each looks for the task that it should be.
coro<bool> is_itself(any_task creator, bool waits) {
    const any_task self = current_task();
    const bool is_new = self && self != creator;
    if (waits) co_await yield();
    co_return is_new&& current_task() == self;
}

coro<> stays_itself() {
    const any_task self = current_task();
    for (int i = 0; i < 200; ++i) {
        task<bool> t = create_task(is_itself(self, i % 2 == 0), eager);
        CHECK(current_task() == self);
        const bool right = co_await t;
        CHECK(right);
    }
}

/// Where a task is created: whether the new one runs inside of that.
struct creation {
    std::thread::id thread = std::this_thread::get_id();
    std::atomic<bool> lasts{true};
};

coro<bool> runs_inside(creation& here) {
    co_return here.thread == std::this_thread::get_id() && here.lasts;
}

coro<bool> starts_inside(task_options options) {
    creation here;
    task<bool> t = create_task(runs_inside(here), options);
    here.lasts = false;
    co_return co_await t;
}

coro<bool> starts_in_a_child(bool suspends) {
    if (suspends) co_await yield();
    co_return co_await starts_inside(eager);
}

coro<> starts_in_children() {
    for (int i = 0; i < 20; ++i) {
        auto [first, second] =
            co_await when_all(starts_in_a_child(i % 2 == 0), starts_in_a_child(i % 3 == 0));
        CHECK_FALSE(first);
        CHECK_FALSE(second);
    }
    const bool outside = co_await starts_in_a_child(true);
    CHECK(outside);
}

coro<> starts_with_another_priority() {
    for (priority level : {priority::latency, priority::normal, priority::background}) {
        const task_options options{.priority = level, .start = start_policy::eager};
        const bool inside = co_await starts_inside(options);
        CHECK(inside == (level == priority::normal));
    }
}

coro<> asks_the_creator_to_stop(any_task creator) {
    creator.cancel("by the new task");
    co_return;
}

coro<> is_asked_inside() {
    task<> t = create_task(asks_the_creator_to_stop(current_task()), eager);
    CHECK(t.done());
    CHECK(current_task().cancelling() == 1);
    co_await t;  // done: no cancellation point
    co_await coro_sleep(far);
}

coro<> awaits_directly() {
    task<> t = create_task(is_asked_inside());
    try {
        co_await t;
    } catch (const cancelled& why) {
        CHECK(why.reason() == "by the new task");
        co_return;
    }
    FAIL("the request went astray");
}

coro<> awaits_its_creator(any_task creator, event_log& log) {
    co_await ended(creator);
    log.add("after its creator");
}

coro<task<>> is_awaited_from_inside(event_log& log) {
    task<> t = create_task(awaits_its_creator(current_task(), log), eager);
    CHECK_FALSE(t.done());
    log.add("creator");
    co_return t;
}

coro<> waits_for_each_other() {
    event_log log;
    task<> t = co_await create_task(is_awaited_from_inside(log));
    co_await t;
    CHECK(log.lines() == lines{"creator", "after its creator"});
}

coro<> starts_and_awaits(int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const int direct = co_await one();
        task<int> t = create_task(one(), eager);
        const int value = co_await t;
        if (direct + value != 2) throw std::runtime_error("wrong value");
    }
}

coro<> sets(bool& flag) {
    flag = true;
    co_return;
}

coro<> gives_others_their_turn() {
    bool ran = false;
    task<> other = create_task(sets(ran));
    co_await starts_and_awaits(200);
    CHECK(ran);  // 128 awaits that find their result there, and no more
    co_await starts_and_awaits(20'000);
    co_await other;
}

coro<bool> starts_one() {
    task<int> t = create_task(one(), eager);
    co_return t.done();
}

coro<int> loops_at_once() {
    std::atomic<int> calls{0};
    const auto counts = [&calls](int) { ++calls; };
    co_await parallel_for(0, 100, counts);
    auto [a, b] = co_await when_all(one(), one());
    co_return calls + a + b;
}

/// The first thing that they do is to fork, beside forks of their creator's worker.
coro<int> forks_and_starts_loops(int depth) {
    if (depth == 0) {
        task<int> t = create_task(loops_at_once(), eager);
        co_return co_await t;
    }
    auto [a, b] =
        co_await when_all(forks_and_starts_loops(depth - 1), forks_and_starts_loops(depth - 1));
    task<int> t = create_task(loops_at_once(), eager);
    const int c = co_await t;
    co_return a + b + c;
}

coro<> forks_much() {
    for (int i = 0; i < 20; ++i) {
        task<int> first = create_task(forks_and_starts_loops(4), eager);
        task<int> second = create_task(forks_and_starts_loops(3), eager);
        const int sum = co_await first;
        const int also = co_await second;
        CHECK(sum == 31 * 102);
        CHECK(also == 15 * 102);
    }
}

coro<> from_a_strand() {
    strand s;
    const bool was_done = co_await s.run(starts_one());
    CHECK(was_done);
    task<int> inside = s.create_task(one(), eager);
    co_await inside;
}

}  // namespace

TEST_CASE("a task that started eagerly is awaited as any other") { check_waiting(waits_eagerly); }

TEST_CASE("an eager start inside of another is awaited as any other") {
    check_waiting(waits_inside_of_an_eager_one);
}

TEST_CASE("eager starts nest to a depth, and are queued beyond it") {
    on_workers(multi, [](unsigned workers) { run(nests_deeply(), {.workers = workers}); });
}

TEST_CASE("a task that starts eagerly gives the worker back when it first suspends") {
    on_workers(single,
               [](unsigned workers) { run(goes_on_before_others(), {.workers = workers}); });
}

TEST_CASE("tasks that start eagerly fork, gather and time out") {
    on_workers(multi, [](unsigned workers) { run(starts_many(), {.workers = workers}); });
}

TEST_CASE("a task that starts eagerly may begin with forks") {
    on_workers(multi, [](unsigned workers) { run(forks_much(), {.workers = workers}); });
}

TEST_CASE("the current task is the new one inside of an eager start") {
    on_workers(multi, [](unsigned workers) { run(stays_itself(), {.workers = workers}); });
}

TEST_CASE("in children of when_all an eager start is queued") {
    on_workers(multi, [](unsigned workers) { run(starts_in_children(), {.workers = workers}); });
}

TEST_CASE("a task of another priority is queued") {
    on_workers(multi,
               [](unsigned workers) { run(starts_with_another_priority(), {.workers = workers}); });
}

TEST_CASE("a request from inside an eager start reaches the creator and who awaits it") {
    on_workers(multi, [](unsigned workers) { run(awaits_directly(), {.workers = workers}); });
}

TEST_CASE("a task that started eagerly may await its creator") {
    on_workers(multi, [](unsigned workers) { run(waits_for_each_other(), {.workers = workers}); });
}

TEST_CASE("a task that starts and awaits others eagerly gives way, and needs no more stack") {
    on_workers(single,
               [](unsigned workers) { run(gives_others_their_turn(), {.workers = workers}); });
    on_workers({2, 4},
               [](unsigned workers) { run(starts_and_awaits(20'000), {.workers = workers}); });
}

TEST_CASE("an eager start on a strand") {
    on_workers(multi, [](unsigned workers) { run(from_a_strand(), {.workers = workers}); });
}

TEST_CASE("from other threads an eager start is queued") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        task<int> t = r.spawn(one_later(), eager);
        r.block_on(ended(t));
        CHECK(t.result() == 1);
    });
}
