// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/cancel_scope.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using clock = std::chrono::steady_clock;

coro<> wait_in_scope(gate& g) {
    const cancel_scope scope;
    co_await scope.run(pass(g));
}

coro<int> gives(int value) { co_return value; }

coro<> pass_at_once() { co_return; }

coro<> fails() {
    co_await yield();
    throw std::invalid_argument("own error");
}

coro<> ends_as_it_likes() {
    const cancel_scope scope;
    const std::optional<int> value = co_await scope.run(gives(5));
    CHECK(value == 5);
    CHECK_FALSE(scope.cancel_called());
    CHECK_FALSE(scope.cancel("late"));
    CHECK_FALSE(scope.cancelled_caught());
    const cancel_scope other;
    const bool ended = co_await other.run(pass_at_once());
    CHECK(ended);
    std::string text;
    const cancel_scope third;
    try {
        co_await third.run(fails());
    } catch (const std::invalid_argument& error) {
        text = error.what();
    }
    CHECK(text == "own error");
    CHECK_THROWS_AS(third.run(fails()), usage_error);
}

/// Catches what it is thrown at every wait.
coro<> keeps_trying(gate& started, int& caught) {
    started.open();
    for (int i = 0; i < 3; ++i) {
        try {
            co_await sleep(far);
        } catch (const cancelled& c) {
            if (c.reason() == "enough") ++caught;
        }
    }
    try {
        co_await yield();
    } catch (const cancelled&) {
        ++caught;
    }
    co_await sleep(far);
}

coro<> cancels(cancel_scope scope, gate& started) {
    co_await started;
    scope.cancel("enough");
}

coro<> is_level_triggered() {
    const cancel_scope scope;
    gate started;
    int caught = 0;
    task<> other = create_task(cancels(scope, started));
    const bool ended = co_await scope.run(keeps_trying(started, caught));
    CHECK_FALSE(ended);
    CHECK(caught == 4);
    CHECK(scope.cancel_called());
    CHECK(scope.cancelled_caught());
    CHECK(current_task().cancelling() == 0);
    co_await sleep(unit() / 10);  // nothing is left over
    co_await other;
}

coro<int> declines(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        co_return 5;
    }
    co_return 0;
}

coro<> awaits_one_that_declines(gate& started, bool& got) {
    task<int> child = create_task(declines(started));
    co_await child;
    got = true;
}

coro<> a_child_cannot_decline_for_the_scope() {
    const cancel_scope scope;
    gate started;
    bool got = false;
    task<> other = create_task(cancels(scope, started));
    const bool ended = co_await scope.run(awaits_one_that_declines(started, got));
    CHECK_FALSE(ended);
    CHECK_FALSE(got);
    co_await other;
}

coro<int> tries_twice(gate& started) {
    started.open();
    int caught = 0;
    for (int i = 0; i < 2; ++i) {
        try {
            co_await sleep(far);
        } catch (const cancelled&) {
            ++caught;
        }
    }
    co_return caught;
}

coro<> forks(gate& first, gate& second, int& sum) {
    // Each of them is cancelled as often as it waits; so is the await of both.
    auto one = [](gate& started, int& total) -> coro<> { total += co_await tries_twice(started); };
    int a = 0;
    int b = 0;
    try {
        co_await when_all(one(first, a), one(second, b));
    } catch (const cancelled&) {
        sum = a + b;
        throw;
    }
}

coro<> cancels_when_both(cancel_scope scope, gate& first, gate& second) {
    co_await first;
    co_await second;
    scope.cancel();
}

coro<> reaches_the_children_of_a_when_all() {
    const cancel_scope scope;
    gate first;
    gate second;
    int sum = 0;
    task<> other = create_task(cancels_when_both(scope, first, second));
    const bool ended = co_await scope.run(forks(first, second, sum));
    CHECK_FALSE(ended);
    CHECK(sum == 4);
    co_await other;
}

coro<> runs_inner(cancel_scope inner, gate& started, int& caught, std::atomic<bool>& went_on) {
    co_await inner.run(keeps_trying(started, caught));
    went_on = true;
    co_await sleep(far);
}

/// Where the inner scope caught its own, the body waits on in the outer one.
coro<> cancels_later(cancel_scope outer, const std::atomic<bool>& went_on) {
    while (!went_on && !outer.cancel_called()) co_await yield();
    outer.cancel();
}

/// In this order: the other way round the inner scope may have ended before.
coro<> cancels_both(cancel_scope outer, cancel_scope inner, gate& started) {
    co_await started;
    outer.cancel("enough");
    inner.cancel("enough");
}

coro<> nests(bool outer_is_cancelled, bool inner_is_cancelled) {
    const cancel_scope outer;
    const cancel_scope inner;
    gate started;
    int caught = 0;
    std::atomic<bool> went_on{false};
    task<> first = create_task(cancels_both(outer_is_cancelled ? outer : inner,
                                            inner_is_cancelled ? inner : outer, started));
    task<> ends = create_task(cancels_later(outer, went_on));
    const bool ended = co_await outer.run(runs_inner(inner, started, caught, went_on));
    CHECK_FALSE(ended);
    CHECK(outer.cancelled_caught());
    CHECK(inner.cancelled_caught() == !outer_is_cancelled);
    CHECK(went_on == !outer_is_cancelled);
    CHECK(current_task().cancelling() == 0);
    co_await first;
    co_await ends;
}

coro<> runs_in(cancel_scope scope, gate& started, bool& scope_said) {
    int caught = 0;
    scope_said = co_await scope.run(keeps_trying(started, caught));
}

coro<> a_foreign_cancellation_passes() {
    const cancel_scope scope;
    gate started;
    bool said = false;
    task<> t = create_task(runs_in(scope, started, said));
    co_await started;
    scope.cancel();
    t.cancel("from outside");
    const auto outcome = co_await gather_settled(t);
    CHECK(is_cancellation(std::get<0>(outcome).error()));
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 1);
    CHECK_FALSE(scope.cancelled_caught());
}

coro<> deadlines() {
    stopwatch watch;
    const cancel_scope scope(unit());
    bool ended = co_await scope.run(coro_sleep(far));
    CHECK_FALSE(ended);
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() < soon);
    const cancel_scope in_time(far);
    ended = co_await in_time.run(coro_sleep(unit() / 10));
    CHECK(ended);
    const cancel_scope past(-1s);
    ended = co_await past.run(coro_sleep(far));
    CHECK_FALSE(ended);
    const cancel_scope before;
    CHECK(before.cancel());
    CHECK_FALSE(before.cancel());
    ended = co_await before.run(coro_sleep(far));
    CHECK_FALSE(ended);
    const cancel_scope without_a_wait(0s);
    const std::optional<int> value = co_await without_a_wait.run(gives(5));
    CHECK(value == 5);  // it was not suspended
}

coro<> moves_its_deadline(cancel_scope scope, bool& moved) {
    moved = scope.set_deadline(clock::now() + unit());
    co_await sleep(far);
}

coro<> tries_to_move(cancel_scope scope, gate& done) {
    CHECK_THROWS_AS(scope.set_deadline(clock::now()), usage_error);
    done.open();
    co_return;
}

coro<> waits_for(gate& g) { co_await g; }

coro<> deadlines_move() {
    const cancel_scope scope(far);
    bool moved = false;
    bool ended = co_await scope.run(moves_its_deadline(scope, moved));
    CHECK_FALSE(ended);
    CHECK(moved);
    CHECK_FALSE(scope.set_deadline(clock::now()));
    const cancel_scope other;
    CHECK(other.set_deadline(clock::now() + far));
    gate done;
    task<> t = create_task(tries_to_move(other, done));
    ended = co_await other.run(waits_for(done));
    CHECK(ended);
    co_await t;
}

coro<> cancelled_by_a_thread() {
    const cancel_scope scope;
    gate started;
    int caught = 0;
    std::thread foreign([scope, &started] {
        while (!started.is_open()) std::this_thread::yield();
        scope.cancel("enough");
    });
    const bool ended = co_await scope.run(keeps_trying(started, caught));
    foreign.join();
    CHECK_FALSE(ended);
    CHECK(caught == 4);
}

}  // namespace

TEST_CASE("waiting in a cancel scope passes the checklist") { check_waiting(wait_in_scope); }

TEST_CASE("a scope that is not cancelled changes nothing") {
    on_workers(multi, [](unsigned workers) { run(ends_as_it_likes(), {.workers = workers}); });
}

TEST_CASE("in a cancelled scope every wait is cancelled, and none after it") {
    on_workers(multi, [](unsigned workers) {
        run(is_level_triggered(), {.workers = workers});
        run(a_child_cannot_decline_for_the_scope(), {.workers = workers});
        run(reaches_the_children_of_a_when_all(), {.workers = workers});
        run(cancelled_by_a_thread(), {.workers = workers});
    });
}

TEST_CASE("the outermost cancelled scope catches the cancellation") {
    on_workers(multi, [](unsigned workers) {
        run(nests(true, false), {.workers = workers});
        run(nests(true, true), {.workers = workers});
        run(nests(false, true), {.workers = workers});
    });
}

TEST_CASE("a cancellation of the task is caught by no scope") {
    on_workers(multi, [](unsigned workers) {
        run(a_foreign_cancellation_passes(), {.workers = workers});
    });
}

TEST_CASE("a scope may have a deadline, which its task may move") {
    on_workers(multi, [](unsigned workers) {
        run(deadlines(), {.workers = workers});
        run(deadlines_move(), {.workers = workers});
    });
}

namespace {

/// Asked before the scope, felt in it, together with the scope's own request.
coro<> sleeps_in_a_late_scope(bool& went_on) {
    current_task().cancel("before");
    const cancel_scope scope{clock::now()};
    static_cast<void>(co_await scope.run(coro_sleep(far)));
    went_on = true;
    co_await yield();
}

/// The same where the body does not suspend.
coro<> passes_a_late_scope() {
    current_task().cancel("before");
    const cancel_scope scope{clock::now()};
    static_cast<void>(co_await scope.run(pass_at_once()));
    co_await yield();
}

}  // namespace

TEST_CASE("a request from before a scope is not the scope's") {
    on_workers(multi, [](unsigned workers) {
        bool went_on = false;
        CHECK_THROWS_AS(run(sleeps_in_a_late_scope(went_on), {.workers = workers}), cancelled);
        CHECK_FALSE(went_on);
        CHECK_THROWS_AS(run(passes_a_late_scope(), {.workers = workers}), cancelled);
    });
}
