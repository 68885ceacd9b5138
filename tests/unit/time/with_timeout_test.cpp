// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/with_timeout.hpp"

#include <limits>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/gather.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using std::chrono::seconds;

coro<> waits_for_a_coro(gate& g) { co_await wait_for(pass(g), far); }
coro<> waits_for_a_task(gate& g) { co_await wait_for(create_task(pass(g)), far); }
coro<> waits_without_limit(gate& g) { co_await wait_for(pass(g), std::nullopt); }
coro<> waits_for_an_operation(gate& g) { co_await wait_for(g, far); }
coro<> waits_under_a_limit(gate& g) { co_await with_timeout(far, g); }
coro<> waits_and_would_move_on(gate& g) {
    const bool in_time = co_await move_on_after(far, pass(g));
    if (!in_time) throw timeout_error("far");
}
coro<> waits_in_a_scope_and_would_move_on(gate& g) {
    const auto body = [&g](timeout_scope&) { return pass(g); };
    const bool in_time = co_await move_on_after(far, body);
    if (!in_time) throw timeout_error("far");
}

coro<int> gives(int value) { co_return value; }
coro<int> gives_after(std::chrono::nanoseconds delay, int value) {
    co_await sleep(delay);
    co_return value;
}
coro<> begins(bool& begun, std::shared_ptr<int> argument) {
    begun = true;
    static_cast<void>(argument);
    co_return;
}

template <class A>
coro<std::string> outcome_of_wait(A awaitable, time_limit limit) {
    try {
        co_await wait_for(std::move(awaitable), limit);
    } catch (const timeout_error&) {
        co_return "timeout_error";
    }
    co_return "value";
}

coro<> limits_that_are_over() {
    for (auto limit : {time_limit{seconds{0}}, time_limit{seconds{-1}},
                       time_limit{std::chrono::steady_clock::now() - seconds{1}}}) {
        bool begun = false;
        auto argument = std::make_shared<int>(1);
        std::string fresh = co_await outcome_of_wait(begins(begun, argument), limit);
        CHECK(fresh == "timeout_error");
        CHECK_FALSE(begun);
        CHECK(argument.use_count() == 1);

        task<int> done = create_task(gives(3));
        co_await ended(done);
        int value = co_await wait_for(done, limit);
        CHECK(value == 3);

        task<> sleeps = create_task(coro_sleep(far));
        co_await yield();
        std::string pending = co_await outcome_of_wait(sleeps, limit);
        CHECK(pending == "timeout_error");
        CHECK(sleeps.cancelled());
        CHECK(current_task().cancelling() == 0);
    }
}

coro<std::unique_ptr<int>> gives_what_is_not_copied() { co_return std::make_unique<int>(4); }
coro<std::string> gives_text() { co_return "a text that is too long for the small one"; }

coro<> what_becomes_of_what_is_awaited() {
    std::unique_ptr<int> moved = co_await wait_for(create_task(gives_what_is_not_copied()), far);
    CHECK(*moved == 4);
    task<std::string> t = create_task(gives_text());
    const task<std::string>& reference = t;
    std::string copy = co_await wait_for(t, far);
    std::string second = co_await wait_for(reference, far);
    CHECK(copy == t.result());
    CHECK(second == t.result());
    std::string given_away = co_await wait_for(std::move(t), far);
    CHECK(given_away == copy);
    co_await wait_for(yield(), far);
    co_await wait_for(sleep(unit()), far);
    auto [one, two] = co_await wait_for(gather(gives(1), gives(2)), far);
    CHECK(one + two == 3);
    auto [three, four] = co_await wait_for(when_all(gives(3), gives(4)), far);
    CHECK(three + four == 7);
}

coro<> limits_on_a_gather() {
    task<> first = create_task(coro_sleep(far));
    task<> second = create_task(coro_sleep(far));
    bool expired = false;
    try {
        co_await wait_for(gather(first, second), unit());
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    co_await ended(first);
    co_await ended(second);
    CHECK(first.cancelled());
    CHECK(second.cancelled());
}

coro<> a_wait_is_a_coro() {
    auto [one, two] = co_await gather(wait_for(gives_after(unit(), 1), far),
                                      wait_for(gives_after(unit(), 2), far));
    CHECK(one + two == 3);
    task<int> t = create_task(wait_for(create_task(gives_after(unit(), 3)), far));
    int value = co_await t;
    CHECK(value == 3);
    // The limit counts from the start, not from the call.
    coro<int> later = wait_for(gives_after(unit(), 4), 3 * unit());
    co_await sleep(4 * unit());
    value = co_await std::move(later);
    CHECK(value == 4);
}

coro<int> passes_on(task<int> source) { co_return co_await wait_for(source, far); }

coro<int> opened(gate& g) {
    co_await g;
    co_return 42;
}

/// The result is there, and then the request comes: `cancelled` wins, and the value stays.
coro<> cancelled_after_completion() {
    gate g;
    task<int> source = create_task(opened(g));
    task<int> t = create_task(passes_on(source));
    co_await yield();
    co_await yield();
    g.open();
    co_await yield();
    REQUIRE(source.done());
    REQUIRE_FALSE(t.done());
    CHECK(t.cancel());
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(source.result() == 42);
}

coro<> throws_a_timeout_of_its_own() {
    co_await yield();
    throw timeout_error("its own");
}

coro<int> sleeps_in_a_moved_scope(timeout_scope& limit) {
    limit.reschedule(unit());
    co_await sleep(far);
    co_return 1;
}

coro<> moving_on() {
    std::optional<int> in_time = co_await move_on_after(far, gives_after(unit(), 5));
    CHECK(in_time == 5);
    std::optional<int> late = co_await move_on_after(unit(), gives_after(far, 5));
    CHECK(late == std::nullopt);
    bool was_in_time = co_await move_on_at(std::chrono::steady_clock::now(), coro_sleep(far));
    CHECK_FALSE(was_in_time);
    late = co_await move_on_after(far, &sleeps_in_a_moved_scope);
    CHECK(late == std::nullopt);
    std::string passed;
    try {
        co_await move_on_after(far, throws_a_timeout_of_its_own());
    } catch (const timeout_error& e) {
        passed = e.what();
    }
    CHECK(passed == "its own");
    CHECK(current_task().cancelling() == 0);
}

coro<> moves_on_from_what_was_cancelled(gate& started, std::string& seen) {
    started.open();
    try {
        co_await move_on_after(far, coro_sleep(far));
        seen = "moved on";
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> foreign_requests_do_not_move_on() {
    gate started;
    std::string seen;
    task<> t = create_task(moves_on_from_what_was_cancelled(started, seen));
    co_await started;
    t.cancel("from outside");
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(seen == "from outside");
}

coro<> strange_limits() {
    std::optional<std::chrono::milliseconds> optional{1};
    std::optional<int> late = co_await move_on_after(optional, gives_after(far, 1));
    CHECK(late == std::nullopt);
    optional.reset();
    late = co_await move_on_after(optional, gives_after(unit(), 1));
    CHECK(late == 1);
    std::optional<int> value =
        co_await move_on_after(std::chrono::duration<double>{1e300}, gives_after(unit(), 2));
    CHECK(value == 2);
    value = co_await move_on_after(std::chrono::hours::max(), gives_after(unit(), 3));
    CHECK(value == 3);
    using coarse = std::chrono::time_point<std::chrono::steady_clock, std::chrono::hours>;
    value = co_await move_on_after(coarse::max(), gives_after(unit(), 4));
    CHECK(value == 4);
    value = co_await move_on_after(std::chrono::duration<float>{0.0005F}, gives_after(far, 5));
    CHECK(value == std::nullopt);
    using real_seconds = std::chrono::duration<double>;
    const real_seconds no_number{std::numeric_limits<double>::quiet_NaN()};
    CHECK_THROWS_AS(time_limit{no_number}, std::invalid_argument);
}

}  // namespace

TEST_CASE("wait_for and its kin pass the checklist of waiting") {
    waiting_function wait = GENERATE(&waits_for_a_coro, &waits_for_a_task, &waits_without_limit,
                                     &waits_for_an_operation, &waits_under_a_limit,
                                     &waits_and_would_move_on, &waits_in_a_scope_and_would_move_on);
    check_waiting(wait);
}

TEST_CASE("under a limit that is over a coro never starts, and what is done gives its result") {
    on_workers(multi, [](unsigned workers) { run(limits_that_are_over(), {.workers = workers}); });
}

TEST_CASE("wait_for keeps what it is given, and moves out only what was moved in") {
    on_workers(multi, [](unsigned workers) {
        run(what_becomes_of_what_is_awaited(), {.workers = workers});
    });
}

TEST_CASE("the limit on a gather cancels its children") {
    on_workers(multi, [](unsigned workers) { run(limits_on_a_gather(), {.workers = workers}); });
}

TEST_CASE("wait_for gives a coro, for create_task and gather, whose limit counts from its start") {
    on_workers(multi, [](unsigned workers) { run(a_wait_is_a_coro(), {.workers = workers}); });
}

TEST_CASE("a request between the end of what wait_for awaits and the resumption is not lost") {
    on_workers(single,
               [](unsigned workers) { run(cancelled_after_completion(), {.workers = workers}); });
}

TEST_CASE("move_on_after gives nothing when its limit has passed, and throws what else happens") {
    on_workers(multi, [](unsigned workers) {
        run(moving_on(), {.workers = workers});
        run(foreign_requests_do_not_move_on(), {.workers = workers});
    });
}

TEST_CASE("limits in every form") {
    on_workers(multi, [](unsigned workers) { run(strange_limits(), {.workers = workers}); });
}
