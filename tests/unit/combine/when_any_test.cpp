// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/when_any.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> sleeps(event_log& log) {
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        throw;
    }
}

coro<int> gives(int value, gate* g) {
    if (g != nullptr) co_await *g;
    co_return value;
}

coro<std::unique_ptr<int>> gives_pointer(gate& g) {
    co_await g;
    co_return std::make_unique<int>(7);
}

coro<> fails(gate& g) {
    co_await g;
    throw std::domain_error("first");
}

coro<> waits_for_one(gate& g) { co_await when_any(pass(g)); }

coro<> waits_beside_a_sleep(gate& g) { co_await when_any(coro_sleep(far), pass(g)); }

coro<> waits_with_a_vector(gate& g) {
    std::vector<coro<>> children;
    for (int i = 0; i < 3; ++i) children.push_back(pass(g));
    co_await when_any(std::move(children));
}

coro<> opens(gate& g) {
    co_await yield();
    g.open();
}

coro<> gives_the_first(event_log& log) {
    gate g;
    gate never;
    task<> opener = create_task(opens(g));
    auto [index, value] = co_await when_any(sleeps(log), gives_pointer(g), gives(1, &never));
    CHECK(index == 1);
    REQUIRE(value.index() == 1);
    CHECK(*std::get<1>(value) == 7);
    CHECK(never.waiting() == 0);
    for (const std::string& reason : log.lines()) CHECK(reason == "a sibling was first");
    CHECK(current_task().cancelling() == 0);
    co_await opener;

    std::vector<coro<int>> range;
    for (int i = 0; i < 40; ++i) range.push_back(gives(i, i == 23 ? &g : &never));
    auto [which, number] = co_await when_any(std::move(range));
    CHECK(which == 23);
    CHECK(number == 23);
    CHECK(never.waiting() == 0);
    auto alone = co_await when_any(gives(3, nullptr));
    CHECK(alone.index == 0);
    CHECK(std::get<0>(alone.value) == 3);
}

coro<> first_failure_is_thrown() {
    gate g;
    gate never;
    task<> opener = create_task(opens(g));
    std::string what;
    try {
        co_await when_any(gives(1, &never), fails(g));
    } catch (const std::domain_error& e) {
        what = e.what();
    }
    CHECK(what == "first");
    CHECK(never.waiting() == 0);
    co_await opener;
    std::vector<coro<>> range;
    range.push_back(fails(g));
    range.push_back(pass(never));
    what.clear();
    try {
        co_await when_any(std::move(range));
    } catch (const std::domain_error& e) {
        what = e.what();
    }
    CHECK(what == "first");
}

coro<int> counts(std::atomic<int>& begun, int value) {
    ++begun;
    co_return value;
}

/// With one worker the first child, which does not suspend, is the only one that begins.
coro<> others_never_begin() {
    std::atomic<int> begun{0};
    auto [index, value] =
        co_await when_any(counts(begun, 0), counts(begun, 1), counts(begun, 2), counts(begun, 3));
    CHECK(index == 0);
    CHECK(std::get<0>(value) == 0);
    CHECK(begun == 1);
    std::vector<coro<int>> range;
    for (int i = 0; i < 1'000; ++i) range.push_back(counts(begun, i));
    auto [which, number] = co_await when_any(std::move(range));
    CHECK(number == static_cast<int>(which));
    CHECK(begun == 2);
}

coro<> refuses_nothing() {
    bool is_refused = false;
    try {
        co_await when_any(std::vector<coro<int>>{});
    } catch (const std::invalid_argument&) {
        is_refused = true;
    }
    CHECK(is_refused);
}

coro<> cleans_up(gate& started, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    co_await sleep(unit() / 5);
    log.add("cleaned up");
    std::rethrow_exception(stop);
}

coro<> losers_have_ended(event_log& log) {
    gate started;
    auto result = co_await when_any(cleans_up(started, log), pass(started));
    CHECK(result.index == 1);
    CHECK(log.lines() == lines{"cleaned up"});
}

coro<> cancels_itself(gate& g) {
    co_await g;
    throw cancelled{};
}

coro<int> keeps_what_it_has(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_return 5;
}

coro<> cancelled_children() {
    gate g, started, never;
    g.open();
    std::string end = "value";
    try {
        co_await when_any(cancels_itself(g), pass(never));
    } catch (const cancelled&) {
        end = "cancelled";
    }
    CHECK(end == "cancelled");
    CHECK(current_task().cancelling() == 0);
    auto [index, value] = co_await when_any(keeps_what_it_has(started), cancels_itself(started));
    CHECK(index == 0);
    CHECK(std::get<0>(value) == 5);
}

coro<> takes_and_goes_on(gate& s1, gate& s2, event_log& log) {
    event_log ignored;
    auto result = co_await when_any(cleans_up(s1, ignored), keeps_what_it_has(s2));
    log.add("has " + std::to_string(std::get<1>(result.value)) + ", cancelling " +
            std::to_string(current_task().cancelling()));
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add("cancelled " + std::string{c.reason()});
        throw;
    }
}

/// Neither the value nor the request is lost.
coro<> a_value_and_a_request(event_log& log) {
    gate s1, s2;
    task<> t = create_task(takes_and_goes_on(s1, s2, log));
    co_await s1;
    co_await s2;
    for (int i = 0; i < 20; ++i) co_await yield();
    t.cancel("stop");
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.lines() == lines{"has 5, cancelling 1", "cancelled stop"});
}

coro<> first_of_two(gate& started, gate& never) {
    co_await when_any(pass(never), opens(started), pass(never), coro_sleep(far));
}

coro<> limited() {
    gate never;
    bool expired = false;
    try {
        co_await with_timeout(unit() / 5, waits_beside_a_sleep(never));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(never.waiting() == 0);
    CHECK(current_task().cancelling() == 0);
    co_await sleep(unit() / 5);
}

coro<> inside_a_when_all() {
    gate s1, s2, never;
    for (int i = 0; i < 100; ++i) {
        auto done =
            co_await when_all(first_of_two(s1, never), first_of_two(s2, never), gives(i, nullptr));
        CHECK(std::get<2>(done) == i);
    }
    CHECK(never.waiting() == 0);
}

}  // namespace

TEST_CASE("a when_any of one child passes the checklist") { check_waiting(waits_for_one); }
TEST_CASE("a when_any beside a sleep passes the checklist") { check_waiting(waits_beside_a_sleep); }
TEST_CASE("a when_any of a vector passes the checklist") { check_waiting(waits_with_a_vector); }

TEST_CASE("when_any gives the first value and its index") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(gives_the_first(log), {.workers = workers});
    });
}

TEST_CASE("when_any throws the first failure") {
    on_workers(multi,
               [](unsigned workers) { run(first_failure_is_thrown(), {.workers = workers}); });
}

TEST_CASE("children that have not begun when the first one ends never do") {
    on_workers(single, [](unsigned workers) { run(others_never_begin(), {.workers = workers}); });
}

TEST_CASE("when_any of nothing is refused") {
    on_workers(single, [](unsigned workers) { run(refuses_nothing(), {.workers = workers}); });
}

TEST_CASE("when_any waits until the others have ended") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(losers_have_ended(log), {.workers = workers});
    });
}

TEST_CASE("a child that ends cancelled stops the others, and any value goes before it") {
    on_workers(multi, [](unsigned workers) { run(cancelled_children(), {.workers = workers}); });
}

TEST_CASE("a request that meets a value is delivered after it") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(a_value_and_a_request(log), {.workers = workers});
    });
}

TEST_CASE("when_any inside of a time limit") {
    on_workers(multi, [](unsigned workers) { run(limited(), {.workers = workers}); });
}

TEST_CASE("when_any inside of a when_all") {
    on_workers(multi, [](unsigned workers) { run(inside_a_when_all(), {.workers = workers}); });
}
