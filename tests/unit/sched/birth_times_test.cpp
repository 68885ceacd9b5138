// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/birth_times.hpp"

#include <chrono>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace std::chrono_literals;

namespace {

using detail::time_point;

struct given {
    std::uint64_t id;
    time_point at;
};

}  // namespace

TEST_CASE("ids that came after the last note have no time") {
    detail::birth_times times;
    const time_point start{1h};
    CHECK_FALSE(times.own(5).has_value());
    times.note(6, 64, start);
    CHECK(times.own(5) == start);
    CHECK_FALSE(times.own(6).has_value());
    CHECK(times.foreign(63) == start);
    CHECK_FALSE(times.foreign(64).has_value());
    CHECK_FALSE(times.is_new(6, 64));
    CHECK(times.is_new(7, 64));
    times.note(6, 64, start + 1h);  // nothing new
    CHECK(times.own(5) == start);
}

TEST_CASE("a time is never too early, and late by an eighth of the age at most") {
    detail::birth_times times;
    std::minstd_rand random{static_cast<std::minstd_rand::result_type>(test::seed())};
    std::vector<given> all;
    time_point now{1h};
    std::uint64_t id = 1;
    constexpr auto interval = 20us;
    for (int i = 0; i < 200'000; ++i) {
        now += interval * (random() % 1'000 == 0 ? random() % 1'000'000 : 1 + random() % 4);
        all.push_back({id, now});
        id += 1 + random() % 64;
        now += interval * (random() % 3);
        times.note(id, id, now);
    }
    // Between a birth and the note after it there are 2 intervals at most.
    bool never_early = true;
    bool never_late = true;
    for (const given& each : all) {
        const auto told = times.own(each.id);
        REQUIRE(told.has_value());
        never_early = never_early && *told >= each.at;
        never_late = never_late && (*told - each.at - 3 * interval) * 7 <= now - each.at;
    }
    CHECK(never_early);
    CHECK(never_late);
}
