// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The wheel as a runtime uses it: behind a lock, armed and disarmed from several threads while one
// drives it through simulated time. Each arming ends once, either fired or removed, never early,
// and never later than the first expire() after its deadline.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/wheel/timer_wheel.hpp"

namespace {

using weft::detail::timer_entry;
using weft::detail::timer_list;
using weft::detail::timer_wheel;

constexpr std::int64_t tick = std::int64_t{1} << timer_wheel::tick_shift;

struct timer : timer_entry {
    std::size_t armed = 0;
    std::size_t fired = 0;
    std::size_t removed = 0;
};

struct guarded_wheel {
    std::mutex mutex;
    timer_wheel wheel;
    std::int64_t now = 0;
    std::size_t early = 0;
    std::size_t late = 0;
    std::size_t disordered = 0;
};

void arm_and_cancel(guarded_wheel& shared, std::vector<timer>& mine, std::size_t steps,
                    std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < steps; ++i) {
        timer& one = mine[random() % mine.size()];
        const std::lock_guard lock(shared.mutex);
        if (one.is_armed()) {
            if (shared.wheel.remove(one)) ++one.removed;
        } else {
            const auto ahead = static_cast<std::int64_t>(random() >> (20 + random() % 43));
            shared.wheel.insert(one, shared.now + ahead - tick);
            ++one.armed;
        }
    }
}

/// One step of the driver to the time `now`.
void drive(guarded_wheel& shared, std::int64_t now) {
    const std::lock_guard lock(shared.mutex);
    const std::int64_t before = shared.now;
    shared.now = now;
    timer_list due;
    shared.wheel.expire(now, due);
    if (!shared.wheel.is_empty() && shared.wheel.next_deadline() <= now) ++shared.late;
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    while (auto* one = static_cast<timer*>(due.pop_front())) {
        ++one->fired;
        if (one->deadline() > now) ++shared.early;
        // An arming is at most one tick in the past, so this one was missed by the step before.
        if (one->deadline() < before - tick) ++shared.late;
        if (one->deadline() < last) ++shared.disordered;
        last = one->deadline();
    }
}

}  // namespace

TEST_CASE("stress: every arming fires once or is removed once", "[stress][wheel]") {
    constexpr std::size_t threads = 3;
    const std::size_t steps = weft::test::stress_iterations(60'000);
    guarded_wheel shared;
    std::vector<std::vector<timer>> timers;
    for (std::size_t t = 0; t < threads; ++t) timers.emplace_back(500);
    std::atomic<std::size_t> running{threads};
    std::vector<std::thread> workers;
    for (std::size_t t = 0; t < threads; ++t) {
        workers.emplace_back([&, t] {
            arm_and_cancel(shared, timers[t], steps, weft::test::seed() + t);
            running.fetch_sub(1, std::memory_order_release);
        });
    }
    std::mt19937_64 random(weft::test::seed() + threads);
    std::int64_t now = 0;
    while (running.load(std::memory_order_acquire) != 0) {
        now += static_cast<std::int64_t>(random() >> (24 + random() % 38));
        drive(shared, now);
    }
    for (std::thread& worker : workers) worker.join();
    drive(shared, timer_wheel::never);
    CHECK(shared.wheel.is_empty());
    CHECK(shared.early == 0);
    CHECK(shared.late == 0);
    CHECK(shared.disordered == 0);
    std::size_t wrong = 0;
    std::size_t fired = 0;
    for (const auto& line : timers) {
        for (const timer& each : line) {
            wrong += each.armed != each.fired + each.removed ? 1U : 0U;
            fired += each.fired;
        }
    }
    CHECK(wrong == 0);
    CHECK(fired > 0);
}

TEST_CASE("stress: many timers agree with a sort", "[stress][wheel]") {
    std::mt19937_64 random(weft::test::seed());
    const std::size_t count = weft::test::stress_iterations(50'000);
    timer_wheel wheel(1'000'000'000);
    std::vector<timer> timers(count);
    for (timer& each : timers) {
        wheel.insert(each, 1'000'000'000 + static_cast<std::int64_t>(random() % 1'000'000'000));
    }
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 3 == 0) {
            REQUIRE(wheel.remove(timers[i]));
        } else {
            expected.push_back(timers[i].deadline());
        }
    }
    std::sort(expected.begin(), expected.end());
    std::vector<std::int64_t> seen;
    std::size_t wakes = 0;
    while (!wheel.is_empty()) {
        timer_list due;
        wheel.expire(wheel.next_deadline(), due);
        ++wakes;
        while (timer_entry* one = due.pop_front()) seen.push_back(one->deadline());
    }
    CHECK(seen == expected);
    CHECK(wakes <= count + count / 3);  // a removed earliest one costs at most a wake-up or so
}
