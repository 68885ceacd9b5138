// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/as_completed.hpp"

#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/gather.hpp"

using namespace weft;
using namespace weft::test;

namespace {

void cancel_all(const std::vector<task<>>& tasks) {
    for (const task<>& t : tasks) t.cancel();
}

/// Ends the tasks behind it as well: as_completed leaves them alone.
coro<> takes_a_ticket(gate& g) {
    std::vector<task<>> two;
    two.push_back(create_task(pass(g)));
    two.push_back(create_task(pass(g)));
    const scope_exit leaving{[&two] { cancel_all(two); }};
    auto results = as_completed(two);
    co_await results[0];
    for (const task<>& t : two) co_await t;  // the gate may go afterwards
}

coro<> takes_a_limited_ticket(gate& g) {
    std::vector<task<>> one;
    one.push_back(create_task(pass(g)));
    const scope_exit leaving{[&one] { cancel_all(one); }};
    auto results = as_completed(one, far);
    for (auto& ticket : results) co_await ticket;
}

coro<> takes_the_next(gate& g) {
    std::vector<task<>> one;
    one.push_back(create_task(pass(g)));
    const scope_exit leaving{[&one] { cancel_all(one); }};
    auto results = as_completed(one);
    while (std::optional<task<>> t = co_await results.next()) co_await *t;
}

coro<int> value_when_open(gate& g, int value) {
    co_await g;
    co_return value;
}

coro<int> fails_when_open(gate& g) {
    co_await g;
    throw std::runtime_error("failed");
}

coro<std::string> awaits_ticket(completion_ticket<task<int>> ticket, gate& begun) {
    begun.open();
    try {
        const int value = co_await ticket;
        co_return std::to_string(value);
    } catch (const std::runtime_error& e) {
        co_return e.what();
    }
}

coro<> gives_handles_in_order() {
    gate first, second;
    std::vector<task<int>> all;
    all.push_back(create_task(value_when_open(second, 2)));
    all.push_back(create_task(fails_when_open(first)));
    auto results = as_completed(all);
    first.open();
    std::optional<task<int>> t = co_await results.next();
    REQUIRE(t.has_value());
    CHECK(*t == all[1]);
    CHECK(outcome_of(*t) == "failed");
    second.open();
    t = co_await results.next();
    REQUIRE(t.has_value());
    CHECK(*t == all[0]);
    CHECK(t->result() == 2);
    t = co_await results.next();
    CHECK_FALSE(t.has_value());
}

coro<> goes_on_after_an_error() {
    gate open;
    open.open();
    std::vector<coro<int>> bodies;
    bodies.push_back(fails_when_open(open));
    bodies.push_back(value_when_open(open, 5));
    int sum = 0;
    int errors = 0;
    for (auto& ticket : as_completed(std::move(bodies))) {
        try {
            sum += co_await ticket;
        } catch (const std::runtime_error&) {
            ++errors;
        }
    }
    CHECK(sum == 5);
    CHECK(errors == 1);
}

/// A request that meets a result does not lose it.
coro<> cancelled_tickets_lose_nothing() {
    gate open, begun1, begun2;
    std::vector<task<int>> one;
    one.push_back(create_task(value_when_open(open, 9)));
    one.push_back(create_task(value_when_open(open, 9)));
    auto results = as_completed(std::move(one));
    auto cancelled_one = create_task(awaits_ticket(std::move(results[0]), begun1));
    auto patient = create_task(awaits_ticket(std::move(results[1]), begun2));
    co_await begun1;
    co_await begun2;
    open.open();
    cancelled_one.cancel();
    co_await ended(cancelled_one);
    const std::string value = co_await patient;
    CHECK(value == "9");
    // The ticket is used up, its result is not.
    if (cancelled_one.cancelled()) {
        const std::optional<task<int>> left = co_await results.next();
        REQUIRE(left.has_value());
        CHECK(left->result() == 9);
    }
    const std::optional<task<int>> none = co_await results.next();
    CHECK_FALSE(none.has_value());
}

coro<completion_ticket<task<int>>> lends_a_ticket(gate& g) {
    std::vector<task<int>> one;
    one.push_back(create_task(value_when_open(g, 3)));
    auto results = as_completed(std::move(one));
    co_return std::move(results[0]);
}

coro<> tickets_outlive_their_range() {
    gate g, begun;
    completion_ticket<task<int>> ticket = co_await lends_a_ticket(g);
    auto other = create_task(awaits_ticket(std::move(ticket), begun));
    co_await begun;
    g.open();
    const std::string value = co_await other;
    CHECK(value == "3");
}

coro<> used_tickets(gate& g) {
    std::vector<coro<int>> one;
    one.push_back(value_when_open(g, 1));
    auto results = as_completed(std::move(one));
    g.open();
    co_await results[0];
    std::string what;
    try {
        co_await results[0];
    } catch (const usage_error& e) {
        what = e.what();
    }
    CHECK(what.find("awaited before") != std::string::npos);
}

coro<bool> gets_the_next(completions<task<int>>& results) {
    const std::optional<task<int>> t = co_await results.next();
    co_return t.has_value();
}

coro<bool> is_refused(completion_ticket<task<int>> ticket) {
    try {
        co_await ticket;
    } catch (const usage_error& e) {
        co_return std::string{e.what()}.find("next() has given all") != std::string::npos;
    }
    co_return false;
}

/// Tickets and next() draw from the same results: who waits when the last is taken is told so.
coro<> one_result_for_two(gate& g) {
    std::vector<task<int>> one;
    one.push_back(create_task(value_when_open(g, 1)));
    auto results = as_completed(std::move(one));
    auto by_next = create_task(gets_the_next(results));
    auto refused = create_task(is_refused(std::move(results[0])));
    while (g.waiting() == 0) co_await yield();
    for (int i = 0; i < 20; ++i) co_await yield();
    g.open();
    const bool got_it = co_await by_next;
    const bool went_away = co_await refused;
    CHECK(got_it == went_away);
    const bool more = co_await gets_the_next(results);
    CHECK_FALSE(more);
}

coro<> what_is_late_is_not_given(time_limit over) {
    gate g;
    const task<int> ready = create_task(value_when_open(g, 2));
    g.open();
    co_await ended(ready);
    gate shut;
    std::vector<task<int>> all{ready, create_task(value_when_open(shut, 3))};
    const task<int> slow = all.back();
    auto results = as_completed(std::move(all), over);
    const int first = co_await results[0];  // had ended before
    CHECK(first == 2);
    shut.open();
    co_await ended(slow);
    int expired = 0;
    try {
        co_await results[1];
    } catch (const timeout_error&) {
        ++expired;
    }
    try {
        co_await results.next();
    } catch (const timeout_error&) {
        ++expired;
    }
    CHECK(expired == 2);
    CHECK(outcome_of(slow) == "value");
}

coro<std::unique_ptr<int>> moves_only() { co_return std::make_unique<int>(4); }

coro<> moves_values_out() {
    std::vector<coro<std::unique_ptr<int>>> bodies;
    bodies.push_back(moves_only());
    bodies.push_back(moves_only());
    auto results = as_completed(std::move(bodies));
    auto [a, b] = co_await gather(std::move(results[0]), std::move(results[1]));
    CHECK(*a + *b == 8);
}

coro<> abandons_a_failure(gate& g) {
    std::vector<coro<int>> bodies;
    bodies.push_back(fails_when_open(g));
    {
        const auto results = as_completed(std::move(bodies));
        static_cast<void>(results);
    }
    g.open();
    while (all_tasks().size() > 1) co_await yield();
}

/// Abandoned ranges leave nothing with a task that goes on.
coro<> abandons_often(gate& g) {
    const task<int> slow = create_task(value_when_open(g, 1));
    for (int i = 0; i < 100; ++i) {
        std::vector<task<int>> one{slow};
        auto results = as_completed(std::move(one), std::chrono::microseconds{1});
        if (i % 2 == 0) continue;
        try {
            co_await results[0];
        } catch (const timeout_error&) {
            continue;
        }
    }
    CHECK_FALSE(detail::task_access::state(slow)->has_awaiters());
    g.open();
    co_await ended(slow);
}

}  // namespace

TEST_CASE("as_completed passes the checklist of waiting") {
    waiting_function how = GENERATE(&takes_a_ticket, &takes_a_limited_ticket, &takes_the_next);
    check_waiting(how);
}

TEST_CASE("next() gives the handles in the order in which the tasks end") {
    on_workers(multi,
               [](unsigned workers) { run(gives_handles_in_order(), {.workers = workers}); });
}

TEST_CASE("a ticket throws its task's error, and the loop can go on") {
    on_workers(multi,
               [](unsigned workers) { run(goes_on_after_an_error(), {.workers = workers}); });
}

TEST_CASE("a cancelled ticket leaves its result to the next one") {
    on_workers(multi, [](unsigned workers) {
        run(cancelled_tickets_lose_nothing(), {.workers = workers});
    });
}

TEST_CASE("tickets outlive their range and go to other tasks") {
    on_workers(multi,
               [](unsigned workers) { run(tickets_outlive_their_range(), {.workers = workers}); });
}

TEST_CASE("a ticket that was used, or that is left over, is refused") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        run(used_tickets(g), {.workers = workers});
        gate h;
        run(one_result_for_two(h), {.workers = workers});
    });
}

TEST_CASE("what ends after the deadline is not given") {
    on_workers(multi, [](unsigned workers) {
        run(what_is_late_is_not_given(0s), {.workers = workers});
        run(what_is_late_is_not_given(std::chrono::steady_clock::now()), {.workers = workers});
    });
}

TEST_CASE("tickets of coroutines move values out, also into a gather") {
    on_workers(multi, [](unsigned workers) { run(moves_values_out(), {.workers = workers}); });
}

TEST_CASE("an error that no ticket has thrown is reported as never observed") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        gate g;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(abandons_a_failure(g));
        }
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].what == failure::kind::never_observed);
    });
}

TEST_CASE("abandoned ranges leave nothing with a task that goes on") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        run(abandons_often(g), {.workers = workers});
    });
}
