// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaits whose result is there already do not suspend. A task of nothing but such awaits gives way
// all the same.
#include "sched/fairness.hpp"

#include <string>
#include <utility>
#include <vector>

#include "busy_stage.hpp"

using namespace weft;
using namespace weft::test;
namespace fairness = detail::fairness;

namespace {

coro<> nothing() { co_return; }

// Tasks that never suspend: what they await in each round is there already.

coro<> awaits_a_done_task(stage& s, nanoseconds run) {
    const task<> done = create_task(nothing());
    co_await done;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        co_await done;
    }
}

coro<> awaits_sent_values(stage& s, nanoseconds run) {
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        auto [sender, receiver] = make_oneshot<int>();
        sender.send(1);
        const int value = co_await receiver;
        if (value != 1) FAIL("another value than was sent");
    }
}

coro<> takes_an_idle_strand(stage& s, nanoseconds run) {
    const strand idle;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        co_await idle.run(nothing());
    }
}

coro<> gathers_a_done_task(stage& s, nanoseconds run) {
    const task<> done = create_task(nothing());
    co_await done;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        std::vector<task<>> all{done};
        co_await gather(std::move(all));
    }
}

coro<> sleeps_once(nanoseconds time) { co_await sleep(time); }

/// Ready awaits up to the one that gives way.
coro<> spends_its_budget(task<> done) {
    for (std::uint32_t i = 1; i < fairness::ready_awaits_per_run; ++i) co_await done;
}

coro<int> seven() { co_return 7; }

coro<> drops(task<int>& handle, bool& dropped) {
    handle = {};
    dropped = true;
    co_return;
}

coro<> awaits_what_is_dropped(bool& dropped, int& value) {
    task<> done = create_task(nothing());
    co_await done;
    task<int> last = create_task(seven());
    while (!last.done()) co_await yield();
    co_await yield();  // a run of its own from here
    create_task(drops(last, dropped));
    co_await spends_its_budget(done);
    CHECK_FALSE(dropped);
    value = co_await last;
}

coro<> sets(bool& flag) {
    flag = true;
    co_return;
}

coro<> awaits_until(const bool& flag, task<> done) {
    for (int i = 0; !flag && i < 1000; ++i) co_await done;
    CHECK(flag);
}

coro<> waits_for_its_sibling(stage& s, bool& flag) {
    const task<> done = create_task(nothing());
    co_await done;
    co_await when_all(awaits_until(flag, done), sets(flag));
    s.is_over = true;
}

coro<> cancels(task<>& other) {
    other.cancel("while it gave way");
    co_return;
}

coro<> is_asked_while_it_gives_way(task<>& me, int& value, std::string& reason) {
    task<> done = create_task(nothing());
    co_await done;
    auto [sender, receiver] = make_oneshot<int>();
    sender.send(3);
    co_await yield();
    create_task(cancels(me));
    co_await spends_its_budget(done);
    value = co_await receiver;  // gives way, is asked, and has its value all the same
    try {
        co_await yield();
    } catch (const cancelled& c) {
        reason = c.reason();
        throw;
    }
}

coro<> notes(std::vector<int>& order, int what) {
    order.push_back(what);
    co_return;
}

coro<> gives_way_in_order(std::vector<int>& order) {
    task<> done = create_task(nothing());
    co_await done;
    co_await yield();
    for (int i : {1, 2}) create_task(notes(order, i));
    co_await spends_its_budget(done);
    order.push_back(0);
    co_await done;
    order.push_back(3);
}

coro<> wants_the_strand(const strand& one, std::vector<int>& order) {
    co_await one.run(notes(order, 1));
}

coro<> runs_on_a_strand(std::vector<int>& order) {
    const strand one;
    task<> done = create_task(nothing());
    co_await done;
    co_await yield();
    task<> other = create_task(wants_the_strand(one, order));
    co_await spends_its_budget(done);
    co_await one.run(notes(order, 2));
    co_await other;
}

}  // namespace

TEST_CASE("awaits that never suspend give way after 128") {
    const auto workers = GENERATE(1u, 2u);
    const auto awaits =
        GENERATE(awaits_a_done_task, awaits_sent_values, takes_an_idle_strand, gathers_a_done_task);
    stage s{workers};
    task<> busy = s.runtime.start(awaits(s, 100ns));
    longest_wait worst;
    nanoseconds latest{};
    task<> beside = s.runtime.start(waits_for_its_turn(s, 300, worst));
    task<> sleeper = s.runtime.start(sleeps(s, 300, latest));
    s.runtime.run_until([&] { return beside.done() && sleeper.done(); });
    CHECK(worst.children == fairness::ready_awaits_per_run);
    CHECK(worst.turns <= 3);
    CHECK(latest <= fairness::poll_interval + 3 * fairness::ready_awaits_per_run * 100ns);
    s.finish();
}

TEST_CASE("awaits that never suspend go on while nothing else is ready") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    task<> busy = s.runtime.start(awaits_a_done_task(s, 100ns));
    task<> sleeper = s.runtime.start(sleeps_once(1ms));
    s.runtime.run_until([&] { return sleeper.done(); }, 10);
    CHECK(s.children >= 10'000);
    s.finish();
}

TEST_CASE("a task whose last handle goes while its awaiter gives way keeps its value for that") {
    stage s{1};
    bool dropped = false;
    int value = 0;
    task<> t = s.runtime.start(awaits_what_is_dropped(dropped, value));
    s.runtime.run_until([&] { return t.done(); });
    CHECK(dropped);
    CHECK(value == 7);
}

TEST_CASE("awaits that never suspend give way to a forked sibling") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    bool flag = false;
    task<> t = s.runtime.start(waits_for_its_sibling(s, flag));
    s.runtime.run_until([&] { return t.done(); }, 1000);
    CHECK(flag);
}

TEST_CASE("a request that comes while a task gives way is delivered at its next suspension, once") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    int value = 0;
    std::string reason;
    task<> t;
    t = s.runtime.start(is_asked_while_it_gives_way(t, value, reason));
    s.runtime.run_until([&] { return t.done(); });
    CHECK(value == 3);
    CHECK(reason == "while it gave way");
    CHECK(t.cancelled());
}

TEST_CASE("whoever gives way is queued behind what was ready") {
    stage s{1};
    std::vector<int> order;
    task<> t = s.runtime.start(gives_way_in_order(order));
    s.runtime.run_until([&] { return t.done(); });
    CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("a run on a strand gives way before it has the strand") {
    stage s{1};
    std::vector<int> order;
    task<> t = s.runtime.start(runs_on_a_strand(order));
    s.runtime.run_until([&] { return t.done(); });
    CHECK(order == std::vector<int>{1, 2});
}
