// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/timeout_scope.hpp"

#include <csignal>
#include <string>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using clock = std::chrono::steady_clock;

coro<> nothing() { co_return; }

coro<> waits_in_a_named_scope(gate& g) {
    timeout_scope limit{far};
    co_await with_timeout(limit, pass(g));
}

coro<> waits_in_a_given_scope(gate& g) {
    const auto body = [&g](timeout_scope&) { return pass(g); };
    co_await with_timeout(far, body);
}

coro<> moves_it_and_waits(timeout_scope& limit, gate& g) {
    limit.reschedule(far);
    co_await g;
    limit.reschedule(2 * far);
}

coro<> waits_in_a_moved_scope(gate& g) {
    timeout_scope limit{unit()};
    co_await with_timeout(limit, moves_it_and_waits(limit, g));
}

coro<int> moves_and_sleeps(timeout_scope& limit, time_limit moved, std::chrono::nanoseconds delay) {
    limit.reschedule(moved);
    co_await sleep(delay);
    co_return 3;
}

coro<> later_earlier_and_never() {
    timeout_scope to_later{unit()};
    int value = co_await with_timeout(to_later, moves_and_sleeps(to_later, far, 2 * unit()));
    CHECK(value == 3);
    CHECK_FALSE(to_later.expired());

    timeout_scope to_never{unit()};
    value = co_await with_timeout(to_never, moves_and_sleeps(to_never, std::nullopt, 2 * unit()));
    CHECK(value == 3);
    CHECK(to_never.when() == std::nullopt);

    bool expired = false;
    stopwatch watch;
    timeout_scope to_earlier{std::nullopt};
    try {
        co_await with_timeout(to_earlier, moves_and_sleeps(to_earlier, unit(), far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(to_earlier.expired());
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() < soon);

    expired = false;
    timeout_scope to_the_past{far};
    const auto past = clock::now() - unit();
    try {
        co_await with_timeout(to_the_past, moves_and_sleeps(to_the_past, past, far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(to_the_past.when() == past);
    CHECK(current_task().cancelling() == 0);
}

coro<> moves_what_is_over(timeout_scope& limit, bool& was_expired) {
    was_expired = limit.expired();
    limit.reschedule(far);
    co_await yield();
    co_await sleep(unit());
}

/// The request is made at the start and has not reached the body when that looks.
coro<> moved_before_the_body_felt_it() {
    timeout_scope limit{std::chrono::seconds{0}};
    bool was_expired = true;
    co_await with_timeout(limit, moves_what_is_over(limit, was_expired));
    CHECK_FALSE(was_expired);
    CHECK_FALSE(limit.expired());
    CHECK(current_task().cancelling() == 0);
}

coro<> is_cancelled_and_moves(timeout_scope& limit, std::string& seen) {
    current_task().cancel("from outside");
    limit.reschedule(far);
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> a_foreign_request_stays() {
    timeout_scope limit{std::chrono::seconds{0}};
    std::string seen;
    bool passed = false;
    try {
        co_await with_timeout(limit, is_cancelled_and_moves(limit, seen));
    } catch (const cancelled&) {
        passed = true;
    }
    CHECK(passed);
    CHECK(seen == "from outside");
    CHECK_FALSE(limit.expired());
    CHECK(current_task().cancelling() == 1);
    current_task().uncancel();
}

/// An expiry that came while the body computed, with no suspension after it.
coro<> computes_beyond(clock::time_point end) {
    while (clock::now() < end) detail::real_environment::relax();
    co_return;
}

coro<> not_felt_is_not_expired() {
    timeout_scope limit{std::chrono::milliseconds{1}};
    co_await with_timeout(limit, computes_beyond(clock::now() + std::chrono::milliseconds{4}));
    CHECK_FALSE(limit.expired());
    CHECK(current_task().cancelling() == 0);
    co_await yield();
}

std::string text_of_usage_error(timeout_scope& limit) {
    try {
        limit.reschedule(far);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

coro<> notes_refusal(timeout_scope& limit, std::string& text) {
    text = text_of_usage_error(limit);
    co_return;
}

coro<> lets_others_move_it(timeout_scope& limit) {
    std::string by_task;
    co_await create_task(notes_refusal(limit, by_task));
    CHECK(by_task.find("by the body that it limits") != std::string::npos);
    std::string by_first;
    std::string by_second;
    co_await when_all(notes_refusal(limit, by_first), notes_refusal(limit, by_second));
    CHECK(by_first.find("by the body that it limits") != std::string::npos);
    CHECK(by_second.find("by the body that it limits") != std::string::npos);
    limit.reschedule(2 * far);
}

coro<> misuse() {
    timeout_scope limit{far};
    CHECK(text_of_usage_error(limit).find("no with_timeout has begun") != std::string::npos);
    co_await with_timeout(limit, lets_others_move_it(limit));
    CHECK(text_of_usage_error(limit).find("within its body") != std::string::npos);
    std::string again;
    try {
        co_await with_timeout(limit, nothing());
    } catch (const usage_error& e) {
        again = e.what();
    }
    CHECK(again.find("for one with_timeout") != std::string::npos);
}

coro<int> destroys_an_active_scope() {
    auto limit = std::make_unique<timeout_scope>(far);
    auto destroys = [&limit]() -> coro<> {
        limit.reset();
        co_return;
    };
    co_await with_timeout(*limit, destroys());
    co_return 0;
}

// ---- a limit around, whose request comes when the body is being stopped

coro<> is_stopped_and_expires(timeout_scope& around) {
    try {
        co_await yield();
    } catch (const cancelled&) {
        around.reschedule(0ms);
        throw;
    }
}

coro<> stops_in_a_limit(timeout_scope& around, std::string& how) {
    try {
        co_await with_timeout(0ms, is_stopped_and_expires(around));
    } catch (const timeout_error&) {
        how = "expired";
    }
}

coro<> stops_in_a_cancel_scope(timeout_scope& around, std::string& how) {
    const cancel_scope scope;
    scope.cancel();
    const bool is_over = co_await scope.run(is_stopped_and_expires(around));
    how = is_over ? "not stopped" : "caught";
    co_await yield();
    how = "went on";
}

coro<> each_scope_knows_its_own() {
    std::string how;
    timeout_scope in_time{far};
    co_await with_timeout(in_time, stops_in_a_limit(in_time, how));
    CHECK(how == "expired");
    CHECK_FALSE(in_time.expired());
    timeout_scope felt{far};
    std::string outcome = "value";
    try {
        co_await with_timeout(felt, stops_in_a_cancel_scope(felt, how));
    } catch (const timeout_error&) {
        outcome = "expired";
    }
    CHECK(outcome == "expired");
    CHECK(how == "caught");
}

}  // namespace

TEST_CASE("scopes pass the checklist of waiting") {
    waiting_function wait =
        GENERATE(&waits_in_a_named_scope, &waits_in_a_given_scope, &waits_in_a_moved_scope);
    check_waiting(wait);
}

TEST_CASE("a limit is moved to later, to earlier, to never, and into the past") {
    on_workers(multi,
               [](unsigned workers) { run(later_earlier_and_never(), {.workers = workers}); });
}

TEST_CASE("a limit that is over may be moved as long as the body has not felt it") {
    on_workers(multi, [](unsigned workers) {
        run(moved_before_the_body_felt_it(), {.workers = workers});
    });
}

TEST_CASE("moving a limit takes back its own request only") {
    on_workers(multi,
               [](unsigned workers) { run(a_foreign_request_stays(), {.workers = workers}); });
}

TEST_CASE("a body that ends before it feels the deadline was in time") {
    on_workers(multi,
               [](unsigned workers) { run(not_felt_is_not_expired(), {.workers = workers}); });
}

TEST_CASE("a scope is moved by its body alone, and entered once") {
    on_workers(multi, [](unsigned workers) { run(misuse(), {.workers = workers}); });
}

TEST_CASE("destroying a scope whose body runs is refused with a sentence") {
    child_result result = in_child([] { return run(destroys_an_active_scope(), {.workers = 1}); });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("a local of the coroutine") != std::string::npos);
}

namespace {

/// Asked before the limit, felt under it, together with the limit's own request.
coro<> sleeps_under_a_late_limit(bool& timed_out) {
    current_task().cancel("before");
    try {
        co_await with_timeout(0ns, coro_sleep(far));
    } catch (const timeout_error&) {
        timed_out = true;
    }
    co_await yield();
}

}  // namespace

TEST_CASE("a request from before a limit is not the limit's") {
    on_workers(multi, [](unsigned workers) {
        bool timed_out = false;
        CHECK_THROWS_AS(run(sleeps_under_a_late_limit(timed_out), {.workers = workers}), cancelled);
        CHECK_FALSE(timed_out);
    });
}

TEST_CASE("a request that is still to be delivered has not ended the body of a scope") {
    on_workers(multi,
               [](unsigned workers) { run(each_scope_knows_its_own(), {.workers = workers}); });
}
