// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section I: time limits.
#include "weft/time/with_timeout.hpp"

#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using clock = std::chrono::steady_clock;

coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

coro<int> returns_after(std::chrono::nanoseconds delay, int value) {
    co_await sleep(delay);
    co_return value;
}

coro<> limits() {
    bool expired = false;
    stopwatch watch;
    try {
        co_await with_timeout(unit(), coro_sleep(far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() < soon);

    int value = co_await with_timeout(far, returns_after(unit(), 5));
    CHECK(value == 5);

    expired = false;
    auto deadline = clock::now() + unit();
    try {
        co_await with_timeout_at(deadline, coro_sleep(far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(clock::now() >= deadline);
}

coro<> named_limits() {
    timeout_scope short_one{unit()};
    std::exception_ptr cause;
    try {
        co_await with_timeout(short_one, coro_sleep(far));
    } catch (const timeout_error& e) {
        cause = e.cause();
    }
    CHECK(is_cancellation(cause));
    CHECK(short_one.expired());

    timeout_scope long_one{far};
    co_await with_timeout(long_one, coro_sleep(unit()));
    CHECK_FALSE(long_one.expired());

    const auto deadline = clock::now() + unit();
    timeout_scope at{deadline};
    CHECK(at.when() == deadline);
    bool expired = false;
    try {
        co_await with_timeout(at, coro_sleep(far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(at.expired());
    CHECK(at.when() == deadline);
    CHECK(clock::now() >= deadline);
    CHECK(current_task().cancelling() == 0);
}

coro<int> does_not_suspend() { co_return 3; }

coro<> yields() { co_await yield(); }

coro<bool> expires(std::chrono::milliseconds limit, coro<> body) {
    bool expired = false;
    try {
        co_await with_timeout(limit, std::move(body));
    } catch (const timeout_error&) {
        expired = true;
    }
    co_return expired;
}

coro<> limits_in_the_past() {
    int value = co_await with_timeout(std::chrono::seconds{0}, does_not_suspend());
    CHECK(value == 3);
    CHECK(current_task().cancelling() == 0);
    bool at_zero = co_await expires(std::chrono::milliseconds{0}, yields());
    bool negative = co_await expires(std::chrono::milliseconds{-11'000}, yields());
    CHECK(at_zero);
    CHECK(negative);
    co_await with_timeout_at(clock::time_point::max(), yields());
    co_await with_timeout(std::nullopt, yields());
    co_await yield();
    CHECK(current_task().cancelling() == 0);

    timeout_scope zero{std::chrono::seconds{0}};
    static_cast<void>(co_await with_timeout(zero, does_not_suspend()));
    CHECK_FALSE(zero.expired());
    timeout_scope never{std::nullopt};
    CHECK(never.when() == std::nullopt);
    co_await with_timeout(never, yields());
    CHECK_FALSE(never.expired());
    CHECK(current_task().cancelling() == 0);
}

coro<> sleeps(gate& started) {
    started.open();
    co_await sleep(far);
}

coro<> awaits(task<> t) { co_await t; }

coro<> limit_on_a_child() {
    gate started;
    task<> child = create_task(sleeps(started));
    bool expired = co_await expires(unit(), awaits(child));
    CHECK(expired);
    co_await ended(child);
    CHECK(child.cancelled());
}

coro<> awaits_behind_a_shield(task<> t) { co_await shield(t); }

coro<> limit_on_a_shielded_child() {
    gate started;
    task<> child = create_task(sleeps(started));
    bool expired = co_await expires(unit(), awaits_behind_a_shield(child));
    CHECK(expired);
    CHECK_FALSE(child.done());
    CHECK(child.cancelling() == 0);
    child.cancel();
    co_await ended(child);
}

coro<> inner_limit(timeout_scope& limit, std::string& seen) {
    try {
        co_await with_timeout(limit, coro_sleep(far));
    } catch (const timeout_error&) {
        seen = "timeout_error";
        throw;
    } catch (const cancelled&) {
        seen = "cancelled";
        throw;
    }
}

coro<> nested_limits() {
    std::string inner = "nothing";
    std::string outer = "nothing";
    const auto deadline = clock::now() + unit();
    timeout_scope inner_scope{deadline};
    timeout_scope outer_scope{deadline};
    try {
        co_await with_timeout(outer_scope, inner_limit(inner_scope, inner));
    } catch (const timeout_error&) {
        outer = "timeout_error";
    }
    CHECK(inner == "cancelled");
    CHECK(outer == "timeout_error");
    CHECK(inner_scope.expired());
    CHECK(outer_scope.expired());
    CHECK(current_task().cancelling() == 0);
}

coro<> throws_at_once() {
    co_await yield();
    throw std::out_of_range("key");
}

coro<> throws_when_stopped() {
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        throw std::domain_error("division by zero");
    }
}

coro<> own_errors_win() {
    std::string what;
    timeout_scope long_one{far};
    try {
        co_await with_timeout(long_one, throws_at_once());
    } catch (const std::out_of_range& e) {
        what = e.what();
    }
    CHECK(what == "key");
    CHECK_FALSE(long_one.expired());
    what.clear();
    timeout_scope short_one{unit()};
    try {
        co_await with_timeout(short_one, throws_when_stopped());
    } catch (const std::domain_error& e) {
        what = e.what();
    }
    CHECK(what == "division by zero");
    CHECK(short_one.expired());
    CHECK(current_task().cancelling() == 0);
}

coro<> limited_sleep(gate& started, std::string& seen, bool& expired) {
    timeout_scope limit{std::chrono::seconds{10}};
    try {
        co_await with_timeout(limit, sleeps(started));
    } catch (const timeout_error&) {
        seen = "timeout_error";
    } catch (const cancelled& c) {
        seen = c.reason();
        expired = limit.expired();
        throw;
    }
}

coro<> foreign_cancel_passes() {
    gate started;
    std::string seen;
    bool expired = true;
    task<> t = create_task(limited_sleep(started, seen, expired));
    co_await started;
    t.cancel("from outside");
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(seen == "from outside");
    CHECK_FALSE(expired);
}

coro<int> lives_on() {
    bool expired = co_await expires(unit(), coro_sleep(far));
    CHECK(expired);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(unit());
    co_await yield();
    co_return co_await returns_after(unit(), 9);
}

coro<> clean_after_timeout() {
    task<int> t = create_task(lives_on());
    int value = co_await t;
    CHECK(value == 9);
    CHECK_FALSE(t.cancelled());
}

coro<int> swallows_the_limit(timeout_scope& limit, event_log& log) {
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_await sleep(unit());
    log.add("after");
    if (limit.expired()) log.add("expired");
    try {
        limit.reschedule(far);
    } catch (const usage_error& e) {
        log.add(e.what());
    }
    co_return 4;
}

coro<> swallowed_limit() {
    event_log log;
    timeout_scope limit{unit()};
    int value = co_await with_timeout(limit, swallows_the_limit(limit, log));
    CHECK(value == 4);
    CHECK(limit.expired());
    CHECK(log.lines() ==
          std::vector<std::string>{"after", "expired",
                                   "this limit has expired: the body is being stopped already"});
    CHECK(current_task().cancelling() == 0);
}

coro<> cancels_itself_and_sleeps() {
    current_task().cancel("own wish");
    co_await sleep(far);
}

coro<> limits_after_a_swallowed_cancel(gate& started, std::string& second) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    CHECK(current_task().cancelling() == 1);
    bool expired = co_await expires(unit(), coro_sleep(far));
    CHECK(expired);
    CHECK(current_task().cancelling() == 1);
    try {
        co_await with_timeout(std::chrono::seconds{10}, cancels_itself_and_sleeps());
    } catch (const timeout_error&) {
        second = "timeout_error";
    } catch (const cancelled& c) {
        second = c.reason();
    }
}

coro<> baseline_of_requests() {
    gate started;
    std::string second;
    task<> t = create_task(limits_after_a_swallowed_cancel(started, second));
    co_await started;
    t.cancel();
    co_await t;
    CHECK(second == "own wish");
    CHECK(t.cancelling() == 2);
}

coro<> cleans_up_with_a_limit(bool& inner) {
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    inner = co_await expires(unit(), coro_sleep(far));
    std::rethrow_exception(stop);
}

coro<> limit_inside_clean_up() {
    bool inner = false;
    bool outer = co_await expires(unit(), cleans_up_with_a_limit(inner));
    CHECK(inner);
    CHECK(outer);
    CHECK(current_task().cancelling() == 0);
}

}  // namespace

TEST_CASE("C107 with_timeout throws when the limit passes, and only then") {
    on_workers(multi, [](unsigned workers) { run(limits(), {.workers = workers}); });
}

TEST_CASE("C107 a named limit knows its deadline, and whether it has expired") {
    on_workers(multi, [](unsigned workers) { run(named_limits(), {.workers = workers}); });
}

TEST_CASE("C108 a limit in the past ends the body at its first suspension") {
    on_workers(single, [](unsigned workers) { run(limits_in_the_past(), {.workers = workers}); });
}

TEST_CASE("C110 the limit cancels the task that the body awaits") {
    on_workers(multi, [](unsigned workers) {
        run(limit_on_a_child(), {.workers = workers});
        run(limit_on_a_shielded_child(), {.workers = workers});
    });
}

TEST_CASE("C111 of two limits with one deadline only the outer one throws timeout_error") {
    on_workers(single, [](unsigned workers) { run(nested_limits(), {.workers = workers}); });
}

TEST_CASE("C113 an error of the body's own wins over the limit") {
    on_workers(multi, [](unsigned workers) { run(own_errors_win(), {.workers = workers}); });
}

TEST_CASE("C114 a cancellation from outside passes through an unexpired limit") {
    on_workers(multi, [](unsigned workers) { run(foreign_cancel_passes(), {.workers = workers}); });
}

TEST_CASE("C116 a task that caught timeout_error is as before") {
    on_workers(multi, [](unsigned workers) { run(clean_after_timeout(), {.workers = workers}); });
}

TEST_CASE("C117 a body that swallows the limit's cancellation ends normally") {
    on_workers(multi, [](unsigned workers) { run(swallowed_limit(), {.workers = workers}); });
}

TEST_CASE("C119 requests that were swallowed before do not disturb a limit") {
    on_workers(multi, [](unsigned workers) { run(baseline_of_requests(), {.workers = workers}); });
}

TEST_CASE("C120 clean-up may have a limit of its own") {
    on_workers(multi, [](unsigned workers) { run(limit_inside_clean_up(), {.workers = workers}); });
}
