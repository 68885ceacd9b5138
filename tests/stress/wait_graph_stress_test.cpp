// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A foreign thread dumps and looks for deadlocks while tasks wait for others in every way, and what
// they wait for ends, is cancelled and is dropped on other workers.
#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

struct tally {
    std::atomic<bool> enough{false};
    std::atomic<std::uint64_t> rounds{0};
    std::atomic<std::uint64_t> named{0};
};

coro<> short_sleep() { co_await sleep(std::chrono::microseconds{20}); }
coro<> one_yield() { co_await yield(); }
coro<> joins(task<> other) { co_await other; }
coro<> fails() {
    co_await yield();
    throw std::runtime_error("one of them fails");
}

std::vector<task<>> three() {
    return {create_task(short_sleep()), create_task(one_yield()), create_task(short_sleep())};
}

coro<> waits(return_when when) {
    std::vector<task<>> tasks = three();
    tasks.push_back(create_task(fails()));
    task<> failing = tasks.back();
    const wait_options options{.timeout = 1ms, .return_when = when};
    const auto result = co_await wait(tasks, options);
    static_cast<void>(result);
    co_await ended(failing);
    static_cast<void>(failing.exception());
}
coro<> takes_all() {
    auto done = as_completed(three());
    for (auto& ticket : done) co_await ticket;
}
coro<> takes_some() {
    auto done = as_completed(three(), 1ms);
    while (const auto next = co_await done.next()) {
    }
}
coro<> takes_one(completion_ticket<task<>> ticket) { co_await ticket; }
coro<> takes_with_others() {
    auto done = as_completed(three());
    std::vector<task<>> takers;
    for (auto& ticket : done) takers.push_back(create_task(takes_one(std::move(ticket))));
    takers[1].cancel();
    for (const task<>& each : takers) co_await ended(each);
}
coro<> shields() {
    task<> other = create_task(short_sleep());
    co_await shield(other);
}
coro<> races() { co_await when_any(short_sleep(), one_yield(), joins(create_task(short_sleep()))); }
coro<> reports(task_status<>& status) {
    co_await yield();
    status.started();
    co_await short_sleep();
}
coro<> fills(task_group& group) {
    for (int i = 0; i < 4; ++i) group.create_task(short_sleep());
    co_await group.start(reports);
}
coro<> groups(std::size_t limit) {
    co_await task_group::run(task_group_options{.limit = limit}, fills);
}
coro<> fills_and_stops(task_group& group) {
    for (int i = 0; i < 4; ++i) group.create_task(short_sleep());
    co_await yield();
    group.cancel();
    co_await yield();
}
coro<> stops_a_group() {
    co_await task_group::run(task_group_options{.limit = 2}, fills_and_stops);
}
coro<> sets(promise<int> p) {
    co_await yield();
    static_cast<void>(p.try_set_result(1));  // the future may be cancelled
}
coro<> awaits_future() {
    promise<int> p;
    future<int> f = p.get_future();
    create_task(sets(std::move(p)));
    co_await f;
}
coro<> cleans_up() { co_await with_cleanup(one_yield(), &short_sleep, {.shielded = true}); }
coro<> in_limits() {
    cancel_scope scope{1s};
    co_await scope.run(short_sleep());
    try {
        co_await with_timeout(10us, short_sleep());
    } catch (const timeout_error&) {
    }
}

/// Each of them, cancelled at some time or not.
coro<> tries(coro<> way, unsigned turns) {
    task<> t = create_task(std::move(way));
    for (unsigned i = 0; i < turns; ++i) co_await yield();
    if (turns != 0) t.cancel();
    co_await ended(t);
    if (!t.cancelled()) static_cast<void>(t.exception());
}

coro<> works(tally& t) {
    for (unsigned turns = 0; !t.enough; turns = (turns + 1) % 6) {
        co_await tries(waits(return_when::all_completed), turns);
        co_await tries(waits(return_when::first_completed), turns);
        co_await tries(waits(return_when::first_exception), turns);
        co_await tries(takes_all(), turns);
        co_await tries(takes_some(), turns);
        co_await tries(takes_with_others(), turns);
        co_await tries(shields(), turns);
        co_await tries(races(), turns);
        co_await tries(groups(0), turns);
        co_await tries(groups(1), turns);
        co_await tries(stops_a_group(), turns);
        co_await tries(awaits_future(), turns);
        co_await tries(cleans_up(), turns);
        co_await tries(in_limits(), turns);
        ++t.rounds;
    }
}

coro<> wait_for_all(std::vector<task<>> tasks) {
    for (task<>& each : tasks) co_await each;
}

}  // namespace

TEST_CASE("looks at what waits for others change nothing, and find no circle where none is") {
    on_workers({2, 4}, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        r.set_failure_handler([](const failure& /*of what nobody looks at*/) {});
        std::vector<task<>> tasks;
        for (int i = 0; i < 4; ++i) tasks.push_back(r.spawn(works(t)));
        const std::size_t wanted = stress_iterations(100) * tasks.size();
        std::size_t circles = 0;
        while (t.rounds < wanted) {
            for (const task_description& each : dump_tasks(r))
                t.named += each.at.tasks.size() + each.at.futures.size() + each.at.children.size();
            circles += find_deadlocks(r).size();
        }
        t.enough = true;
        r.block_on(wait_for_all(std::move(tasks)));
        CHECK(circles == 0);
        CHECK(t.named > 0);
        r.close();
        CHECK(r.statistics().timers_armed == 0);
    });
}

namespace {

coro<> picks_one(gate& ready, task<>& one, task<>& two, bool by_when_any) {
    co_await ready;
    const std::vector<task<>> both{one, two};
    if (by_when_any) {
        co_await when_any(joins(one), joins(two));
    } else {
        const wait_options options{.return_when = return_when::first_completed};
        const auto result = co_await wait(both, options);
        static_cast<void>(result);
    }
}

coro<> leaves_sometimes(gate& ready, task<>& other, bool leaves) {
    co_await ready;
    if (leaves)
        co_await yield();
    else
        co_await other;
}

/// One of two ways out is there for a moment in every other round.
coro<> closes_and_opens(tally& t, std::uint64_t& closed) {
    for (std::uint64_t round = 0; !t.enough; ++round) {
        gate ready;
        task<> left;
        task<> right;
        task<> other;
        const bool leaves = round % 2 == 0;
        left = create_task(picks_one(ready, right, other, round % 4 < 2), {.name = "left"});
        right = create_task(leaves_sometimes(ready, left, false));
        other = create_task(leaves_sometimes(ready, left, leaves),
                            {.name = leaves ? "leaves" : "stays"});
        ready.open();
        for (int i = 0; i < 5; ++i) co_await yield();
        if (!leaves) {
            ++closed;
            left.cancel();
        }
        co_await ended(left);
        co_await ended(right);
        co_await ended(other);
    }
}

}  // namespace

TEST_CASE("a circle with two ways out is found only if both are closed") {
    on_workers({1, 2, 4}, [](unsigned workers) {
        tally t;
        std::uint64_t closed = 0;
        std::uint64_t found = 0;
        bool all_closed = true;
        runtime r{{.workers = workers}};
        task<> closes = r.spawn(closes_and_opens(t, closed));
        for (std::size_t i = 0; i < stress_iterations(1'000); ++i) {
            for (const await_chain& circle : find_deadlocks(r)) {
                ++found;
                for (const task_description& each : circle.tasks) {
                    if (each.name != "left") continue;
                    for (const awaited_task& way_out : each.at.tasks)
                        all_closed = all_closed && way_out.name != "leaves";
                }
            }
        }
        t.enough = true;
        r.block_on(ended(closes));
        INFO(found << " found of " << closed);
        CHECK(all_closed);
    });
}
