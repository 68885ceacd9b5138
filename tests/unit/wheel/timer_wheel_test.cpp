// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/wheel/timer_wheel.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/seed.hpp"

namespace {

using weft::detail::timer_entry;
using weft::detail::timer_list;
using weft::detail::timer_wheel;

constexpr std::int64_t tick = std::int64_t{1} << timer_wheel::tick_shift;
constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

struct timer : timer_entry {
    int number = 0;
};

std::vector<timer*> drain(timer_list& list) {
    std::vector<timer*> all;
    while (timer_entry* entry = list.pop_front()) all.push_back(static_cast<timer*>(entry));
    return all;
}

std::vector<timer*> expire(timer_wheel& wheel, std::int64_t now) {
    timer_list due;
    const std::size_t count = wheel.expire(now, due);
    auto all = drain(due);
    REQUIRE(all.size() == count);
    return all;
}

/// The wheel's specification: a list sorted by deadline, equal ones in the order of insertion.
class oracle {
public:
    void insert(timer& entry, std::int64_t deadline) {
        const auto at = std::upper_bound(
            armed_.begin(), armed_.end(), deadline,
            [](std::int64_t value, const item& other) { return value < other.deadline; });
        armed_.insert(at, {deadline, &entry});
    }
    void remove(const timer& entry) {
        std::erase_if(armed_, [&](const item& other) { return other.entry == &entry; });
    }
    std::vector<timer*> expire(std::int64_t now) {
        std::vector<timer*> due;
        std::size_t count = 0;
        while (count < armed_.size() && armed_[count].deadline <= now) {
            due.push_back(armed_[count++].entry);
        }
        armed_.erase(armed_.begin(), armed_.begin() + static_cast<std::ptrdiff_t>(count));
        return due;
    }
    [[nodiscard]] std::int64_t next() const {
        return armed_.empty() ? timer_wheel::never : armed_.front().deadline;
    }
    [[nodiscard]] std::size_t size() const { return armed_.size(); }

private:
    struct item {
        std::int64_t deadline;
        timer* entry;
    };
    std::vector<item> armed_;
};

}  // namespace

TEST_CASE("an empty wheel has no deadline and expires nothing", "[wheel]") {
    timer_wheel wheel;
    CHECK(wheel.is_empty());
    CHECK(wheel.next_deadline() == timer_wheel::never);
    CHECK(expire(wheel, timer_wheel::never).empty());
}

TEST_CASE("a timer fires at its deadline, not one nanosecond before", "[wheel]") {
    const std::int64_t start = GENERATE(std::int64_t{0}, 5 * tick + 3, std::int64_t{1} << 50);
    const std::int64_t ahead = GENERATE(std::int64_t{1}, std::int64_t{100}, tick - 1, tick,
                                        tick + 1, 64 * tick, std::int64_t{60'000'000'000});
    timer_wheel wheel(start);
    timer one;
    wheel.insert(one, start + ahead);
    CHECK(one.is_armed());
    CHECK(one.deadline() == start + ahead);
    CHECK(wheel.next_deadline() == start + ahead);
    CHECK(expire(wheel, start).empty());
    CHECK(expire(wheel, start + ahead - 1).empty());
    CHECK(wheel.next_deadline() == start + ahead);
    CHECK(expire(wheel, start + ahead) == std::vector<timer*>{&one});
    CHECK_FALSE(one.is_armed());
    CHECK(wheel.is_empty());
}

TEST_CASE("every level boundary fires exactly, one tick around it too", "[wheel][B33]") {
    const int level = GENERATE(range(0, 9));
    const std::int64_t offset = GENERATE(std::int64_t{0}, std::int64_t{1}, tick - 1);
    const std::int64_t start_digit = GENERATE(std::int64_t{0}, std::int64_t{1}, std::int64_t{63});
    const std::int64_t span = std::int64_t{1} << (6 * level);
    const std::int64_t begin = level == 8 ? 0 : start_digit * span;
    for (const std::int64_t around : {-1, 0, 1}) {
        for (const std::int64_t multiple : {1, 2, 7}) {
            if (level == 8 && multiple > 1) continue;
            const std::int64_t at = begin + multiple * span + around;
            if (at < begin) continue;
            timer_wheel wheel(begin * tick);
            timer one;
            const std::int64_t deadline = at * tick + offset;
            wheel.insert(one, deadline);
            REQUIRE(wheel.next_deadline() == deadline);
            REQUIRE(expire(wheel, deadline - tick).empty());
            REQUIRE(expire(wheel, deadline - 1).empty());
            REQUIRE(wheel.next_deadline() == deadline);
            REQUIRE(expire(wheel, deadline).size() == 1);
        }
    }
}

TEST_CASE("the extremes of a deadline are safe", "[wheel][B34]") {
    timer_wheel wheel(1000 * tick);
    timer far;
    timer past;
    timer before_epoch;
    timer zero;
    wheel.insert(far, timer_wheel::time_point::max());
    CHECK(wheel.next_deadline_time() == timer_wheel::time_point::max());
    wheel.insert(past, 999 * tick);
    wheel.insert(before_epoch, lowest);
    wheel.insert(zero, 0);
    CHECK(wheel.next_deadline() == lowest);
    CHECK(expire(wheel, 1000 * tick) == std::vector<timer*>{&before_epoch, &zero, &past});
    CHECK(expire(wheel, timer_wheel::never - 1).empty());
    CHECK(wheel.next_deadline() == timer_wheel::never);
    CHECK(expire(wheel, timer_wheel::never) == std::vector<timer*>{&far});
}

TEST_CASE("time that stands still or goes back fires nothing early", "[wheel]") {
    timer_wheel wheel(100 * tick);
    timer one;
    CHECK(expire(wheel, 200 * tick).empty());
    wheel.insert(one, 150 * tick);
    CHECK(expire(wheel, 149 * tick).empty());
    CHECK(expire(wheel, lowest).empty());
    CHECK(wheel.next_deadline() == 150 * tick);
    CHECK(expire(wheel, 150 * tick).size() == 1);
    timer_wheel early(-5);
    early.insert(one, -3);
    CHECK(expire(early, -4).empty());
    CHECK(expire(early, -3).size() == 1);
}

TEST_CASE("due timers come by deadline, equal ones in the order of arming", "[wheel][151]") {
    const std::int64_t base = GENERATE(3 * tick, 70 * tick, 5000 * tick);
    timer_wheel wheel;
    std::vector<timer> timers(9);
    const std::int64_t offsets[] = {5, 3, 5, 1, 3, 5, 0, 5, 1};
    for (std::size_t i = 0; i < timers.size(); ++i) {
        timers[i].number = static_cast<int>(i);
        wheel.insert(timers[i], base + offsets[i]);
    }
    std::vector<int> order;
    for (const timer* each : expire(wheel, base + tick)) order.push_back(each->number);
    CHECK(order == std::vector<int>{6, 3, 8, 1, 4, 0, 2, 5, 7});
}

TEST_CASE("equal deadlines keep their order when time passes between the armings", "[wheel][151]") {
    timer_wheel wheel;
    const std::int64_t deadline = 70'000 * tick + 17;
    std::vector<std::unique_ptr<timer>> timers;
    std::vector<timer*> expected;
    // Ever nearer to the deadline, so each is armed for another level.
    for (std::int64_t now = 0; now < deadline; now += (deadline - now + 1) / 2) {
        REQUIRE(expire(wheel, now).empty());
        timers.push_back(std::make_unique<timer>());
        expected.push_back(timers.back().get());
        wheel.insert(*timers.back(), deadline);
    }
    CHECK(timers.size() > 20);
    CHECK(expire(wheel, deadline) == expected);
}

TEST_CASE("a removed timer does not fire and may be armed again", "[wheel][B35]") {
    timer_wheel wheel;
    timer first;
    timer second;
    timer third;
    CHECK_FALSE(wheel.remove(first));
    for (timer* each : {&first, &second, &third}) wheel.insert(*each, 10 * tick);
    CHECK(wheel.remove(first));
    CHECK_FALSE(first.is_armed());
    CHECK_FALSE(wheel.remove(first));
    wheel.insert(first, 10 * tick);
    CHECK(wheel.remove(second));
    CHECK(wheel.size() == 2);
    CHECK(expire(wheel, 10 * tick) == std::vector<timer*>{&third, &first});
    CHECK_FALSE(wheel.remove(third));
    CHECK(wheel.size() == 0);
}

TEST_CASE("a removal on the very tick leaves the others of the slot", "[wheel][B35]") {
    timer_wheel wheel;
    timer first;
    timer second;
    wheel.insert(first, 3 * tick + 100);
    wheel.insert(second, 3 * tick + 200);
    CHECK(expire(wheel, 3 * tick + 50).empty());
    CHECK(wheel.remove(first));
    CHECK(wheel.next_deadline() <= 3 * tick + 200);
    CHECK(expire(wheel, 3 * tick + 150).empty());
    CHECK(wheel.next_deadline() == 3 * tick + 200);
    CHECK(expire(wheel, 3 * tick + 200).size() == 1);
}

TEST_CASE("a cancelled earliest timer costs a bounded number of early wake-ups", "[wheel][B36]") {
    timer_wheel wheel;
    timer last;
    std::vector<timer> cancelled(50);
    const std::int64_t hour = 3'600'000'000'000;
    wheel.insert(last, hour);
    for (std::size_t i = 0; i < cancelled.size(); ++i) {
        wheel.insert(cancelled[i], hour - static_cast<std::int64_t>(i) * 1000 * tick - 1);
    }
    for (timer& each : cancelled) REQUIRE(wheel.remove(each));
    int wakes = 0;
    std::int64_t now = 0;
    while (now < hour) {
        REQUIRE(wheel.next_deadline() > now);
        now = wheel.next_deadline();
        ++wakes;
        REQUIRE(expire(wheel, now).size() == (now == hour ? 1 : 0));
    }
    CHECK(now == hour);
    CHECK(wakes <= 9);  // at most one a level
}

TEST_CASE("a timer may be armed again while others are still due", "[wheel]") {
    timer_wheel wheel;
    timer first;
    timer second;
    wheel.insert(first, 1);
    wheel.insert(second, 2);
    timer_list due;
    REQUIRE(wheel.expire(10, due) == 2);
    REQUIRE(due.pop_front() == &first);
    wheel.insert(first, 20);
    CHECK(drain(due) == std::vector<timer*>{&second});
    CHECK(expire(wheel, 20) == std::vector<timer*>{&first});
}

namespace {

/// Random times, most of them where a wheel may go wrong.
class random_times {
public:
    explicit random_times(std::uint64_t seed) : random_(seed) {}

    std::uint64_t operator()() { return random_(); }
    std::int64_t below(std::int64_t limit) {
        return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
    }
    std::int64_t deadline(std::int64_t now) {
        const int width = static_cast<int>(random_() % 62);
        const std::int64_t ahead = std::int64_t{1} << width;
        const bool near_end = now > timer_wheel::never - 2 * ahead;
        switch (random_() % 8) {
            case 0:
                return now - below(3 * tick);
            case 1:
                return now + below(2 * tick);
            case 2:
                return random_() % 8 == 0 ? lowest : -below(100);
            case 3:
                return random_() % 4 == 0 ? timer_wheel::never : now;
            case 4:  // a level boundary, one tick around it
                return near_end ? timer_wheel::never
                                : (((now >> width) + 1) << width) + (below(3) - 1) * tick;
            default:
                return near_end ? timer_wheel::never : now + below(ahead + 1);
        }
    }
    /// A time not before `now`; `next` and `exact` are the wheel's and the true next deadline.
    std::int64_t later(std::int64_t now, std::int64_t next, std::int64_t exact) {
        switch (random_() % 4) {
            case 0:
                return std::max(now, std::min(next, now + 1000 * tick));
            case 1:
                return std::max(now, std::max(exact, now) - below(2));
            case 2:
                return now + below(tick);
            default:
                return now + (now < timer_wheel::never / 2
                                  ? below(std::int64_t{1} << (random_() % 60))
                                  : 0);
        }
    }

private:
    std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("the wheel agrees with a sorted list under random use", "[wheel][B33]") {
    random_times random(weft::test::seed());
    for (int round = 0; round < 40; ++round) {
        std::int64_t now = round % 4 == 0 ? 0 : random.below(std::int64_t{1} << (20 + round));
        timer_wheel wheel(now);
        oracle expected;
        std::vector<timer> timers(150);
        for (int step = 0; step < 2000; ++step) {
            timer& one = timers[random() % timers.size()];
            if (one.is_armed() && random() % 3 != 0) {
                expected.remove(one);
                REQUIRE(wheel.remove(one));
            } else if (!one.is_armed()) {
                const std::int64_t at = random.deadline(now);
                expected.insert(one, at);
                wheel.insert(one, at);
            }
            REQUIRE(wheel.size() == expected.size());
            REQUIRE(wheel.next_deadline() <= expected.next());  // never late
            if (random() % 4 != 0) continue;
            now = random.later(now, wheel.next_deadline(), expected.next());
            now = std::min(now, timer_wheel::never - 4000 * tick);
            REQUIRE(expire(wheel, now) == expected.expire(now));
            REQUIRE(wheel.next_deadline() > now);  // no storm of wake-ups
        }
        REQUIRE(expire(wheel, timer_wheel::never) == expected.expire(timer_wheel::never));
        REQUIRE(wheel.is_empty());
    }
}
