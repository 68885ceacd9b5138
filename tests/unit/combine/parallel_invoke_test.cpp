// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/parallel_invoke.hpp"

#include <memory>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

int seven() { return 7; }

coro<> gives_values_in_order() {
    bool called = false;
    auto text_later = []() -> coro<std::string> {
        co_await yield();
        co_return "text";
    };
    auto nothing_later = []() -> coro<> { co_await yield(); };
    auto counts = [n = 0]() mutable { return ++n; };
    auto [a, b, c, d, e] = co_await parallel_invoke(
        seven, text_later, [&called] { called = true; }, nothing_later, counts);
    CHECK(a == 7);
    CHECK(b == "text");
    static_assert(std::is_same_v<decltype(c), std::monostate>);
    static_assert(std::is_same_v<decltype(d), std::monostate>);
    CHECK(e == 1);
    CHECK(called);
    co_await parallel_invoke();
}

coro<> moves_callables_and_values() {
    // The captures live to the end of the coroutine that uses them.
    auto gives_later = [owned = std::make_unique<int>(3)]() mutable -> coro<std::unique_ptr<int>> {
        co_await yield();
        co_return std::move(owned);
    };
    auto gives = [owned = std::make_unique<int>(4)]() mutable { return std::move(owned); };
    auto [a, b] = co_await parallel_invoke(std::move(gives_later), std::move(gives));
    CHECK(*a == 3);
    CHECK(*b == 4);
}

coro<> first_failure_stops_the_others(event_log& log) {
    std::string what;
    gate begun;
    auto waits = [&]() -> coro<> {
        begun.open();
        try {
            co_await sleep(far);
        } catch (const cancelled& c) {
            log.add(std::string{c.reason()});
            throw;
        }
    };
    auto fails = [&]() -> coro<int> {
        co_await begun;
        throw std::runtime_error("failed");
    };
    try {
        co_await parallel_invoke(waits, fails);
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "failed");
    CHECK(log.count("a sibling failed") == 1);
}

coro<> plain_failure() {
    std::string what;
    bool called = false;
    try {
        co_await parallel_invoke([] { throw std::runtime_error("plain"); },
                                 [&called] { called = true; });
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "plain");
    CHECK(!called);
}

coro<> waits_in_both(gate& g) {
    auto wait = [&g] { return pass(g); };
    co_await parallel_invoke(wait, wait);
}

}  // namespace

TEST_CASE("parallel_invoke gives the values in the order of its arguments") {
    on_workers(multi, [](unsigned workers) { run(gives_values_in_order(), {.workers = workers}); });
}

TEST_CASE("parallel_invoke moves its callables and their values") {
    on_workers(multi,
               [](unsigned workers) { run(moves_callables_and_values(), {.workers = workers}); });
}

TEST_CASE("parallel_invoke cancels the others when one fails") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(first_failure_stops_the_others(log), {.workers = workers});
    });
    on_workers(single, [](unsigned workers) { run(plain_failure(), {.workers = workers}); });
}

TEST_CASE("parallel_invoke passes the checklist of waiting") { check_waiting(&waits_in_both); }
