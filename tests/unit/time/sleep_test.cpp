// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/sleep.hpp"

#include <limits>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;
using clock = std::chrono::steady_clock;

coro<> waits_with_a_limit(gate& g) { co_await with_timeout(far, pass(g)); }
coro<> waits_with_two_limits(gate& g) { co_await with_timeout(2 * far, waits_with_a_limit(g)); }
coro<> waits_without_limit(gate& g) { co_await with_timeout_at(clock::time_point::max(), pass(g)); }

coro<> sleeps_until(clock::time_point when, event_log& log, std::string name) {
    co_await sleep_until(when);
    log.add(name);
}

coro<> sleepers_in_order(event_log& log) {
    auto begin = clock::now() + unit();
    std::vector<task<>> sleepers;
    sleepers.push_back(create_task(sleeps_until(begin + 2 * unit(), log, "3")));
    sleepers.push_back(create_task(sleeps_until(begin, log, "1")));
    sleepers.push_back(create_task(sleeps_until(begin + unit(), log, "2")));
    sleepers.push_back(create_task(sleeps_until(begin, log, "1 again")));
    co_await gather(std::move(sleepers));
}

coro<> strange_delays() {
    using milliseconds = std::chrono::duration<double, std::milli>;
    stopwatch watch;
    co_await sleep(milliseconds{1.5});
    CHECK(watch.elapsed() >= std::chrono::microseconds{1500});
    co_await sleep(std::chrono::nanoseconds{1});
    co_await sleep(std::chrono::hours{-1});
    co_await sleep_until(clock::time_point::min());
    co_await sleep_until(clock::now() - std::chrono::hours{1});
    co_await sleep(milliseconds{-std::numeric_limits<double>::infinity()});
    for (auto delay : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds::max() / 2}) {
        task<> forever = create_task(coro_sleep(delay));
        co_await yield();
        co_await yield();
        CHECK_FALSE(forever.done());
        forever.cancel();
        co_await ended(forever);
    }
    bool expired = false;
    try {
        auto endless = []() -> coro<> {
            co_await sleep(milliseconds{std::numeric_limits<double>::infinity()});
        };
        co_await with_timeout(unit(), endless());
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
}

coro<> cancelled_before_sleeping(std::string& seen) {
    current_task().cancel("early");
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen = c.reason();
    }
    co_await sleep(std::chrono::milliseconds{1});
}

coro<> cancelled_at_yield(std::string& seen) {
    current_task().cancel("at yield");
    try {
        co_await yield();
    } catch (const cancelled& c) {
        seen = c.reason();
    }
    co_await yield();
}

coro<> early_cancels() {
    std::string at_sleep;
    std::string at_yield;
    co_await create_task(cancelled_before_sleeping(at_sleep));
    co_await create_task(cancelled_at_yield(at_yield));
    CHECK(at_sleep == "early");
    CHECK(at_yield == "at yield");
}

coro<> sleeps_on_after_a_request() {
    gate begun;  // a request before its first step would end it
    auto sleeps_twice = [](gate& at_work) -> coro<bool> {
        at_work.open();
        auto rest = sleep(std::chrono::milliseconds{20});
        try {
            co_await rest;
        } catch (const cancelled&) {
            current_task().uncancel();
        }
        co_await rest;  // the same deadline
        co_return true;
    };
    task<bool> t = create_task(sleeps_twice(begun));
    co_await begun;
    t.cancel();
    bool slept_on = co_await t;
    CHECK(slept_on);
}

coro<bool> swallows_everything(std::chrono::microseconds delay) {
    try {
        co_await sleep(delay);
    } catch (const cancelled&) {
        co_return false;
    }
    co_return true;
}

/// The end of the body and the limit come together: whatever happens, nothing is left behind.
coro<> limits_race_with_the_end(unsigned rounds) {
    std::uint64_t random = seed() | 1;
    for (unsigned i = 0; i < rounds; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        std::chrono::microseconds delay{50 + random % 64};
        co_await with_timeout(std::chrono::microseconds{80}, swallows_everything(delay));
        bool expired = false;
        try {
            co_await with_timeout(std::chrono::microseconds{80}, coro_sleep(delay));
        } catch (const timeout_error&) {
            expired = true;
        }
        co_await yield();  // a request that leaked would be delivered here
        if (current_task().cancelling() != 0) throw std::logic_error("a request leaked");
        static_cast<void>(expired);
    }
}

coro<> many_racing_limits() {
    std::vector<coro<>> racers;
    for (int i = 0; i < 8; ++i) racers.push_back(limits_race_with_the_end(200));
    co_await gather(std::move(racers));
}

}  // namespace

TEST_CASE("with_timeout passes the checklist of waiting") {
    waiting_function wait =
        GENERATE(&waits_with_a_limit, &waits_with_two_limits, &waits_without_limit);
    check_waiting(wait);
}

TEST_CASE("sleepers wake by deadline, equal ones in the order in which they began") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(sleepers_in_order(log), {.workers = workers});
        CHECK(log.lines() == lines{"1", "1 again", "2", "3"});
    });
}

TEST_CASE("delays beyond every range") {
    on_workers(multi, [](unsigned workers) { run(strange_delays(), {.workers = workers}); });
}

TEST_CASE("a request that came before the sleep or the yield is delivered there") {
    on_workers(multi, [](unsigned workers) { run(early_cancels(), {.workers = workers}); });
}

TEST_CASE("a sleep that was cancelled may be awaited again") {
    on_workers(multi,
               [](unsigned workers) { run(sleeps_on_after_a_request(), {.workers = workers}); });
}

TEST_CASE("a limit that meets the end of its body leaves no request behind") {
    on_workers(multi, [](unsigned workers) { run(many_racing_limits(), {.workers = workers}); });
}

TEST_CASE("a runtime that closes wakes its sleepers") {
    on_workers(multi, [](unsigned workers) {
        stopwatch watch;
        runtime r{{.workers = workers}};
        task<> t = r.spawn(coro_sleep(far));
        while (r.statistics().timers_armed == 0) std::this_thread::yield();
        r.close();
        CHECK(t.cancelled());
        CHECK(r.statistics().timers_armed == 0);
        CHECK(watch.elapsed() < soon);
    });
}
