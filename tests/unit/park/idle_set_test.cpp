// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/idle_set.hpp"

#include <optional>
#include <set>
#include <vector>

#include "support/catch.hpp"

namespace {

using weft::detail::real_environment;
using weft::detail::retract_result;
using idle_type = weft::detail::idle_set<real_environment>;

void announce_all(idle_type& idle, std::size_t workers) {
    for (std::size_t w = 0; w < workers; ++w) idle.announce_idle(w, false);
}

}  // namespace

TEST_CASE("nobody is woken when nobody is idle", "[park][idle]") {
    idle_type idle(4);
    CHECK_FALSE(idle.notify_one());
    CHECK(idle.searching() == 0);
    idle.notify_all([](std::size_t) { FAIL("nobody is idle"); });
}

TEST_CASE("one notification claims one worker, and it counts as a searcher", "[park][idle]") {
    idle_type idle(4);
    announce_all(idle, 4);
    const auto woken = idle.notify_one();
    REQUIRE(woken);
    CHECK(idle.idle_count() == 3);
    CHECK(idle.searching() == 1);
    CHECK_FALSE(idle.notify_one());  // a searcher stands for it
    CHECK(idle.retract_idle(*woken) == retract_result::claimed);
    CHECK(idle.finish_search_found());  // the last searcher notifies again
    CHECK(idle.notify_one());
    CHECK(idle.idle_count() == 2);
}

TEST_CASE("a searcher that found something is the last only when it is alone", "[park][idle]") {
    idle_type idle(4);
    REQUIRE(idle.begin_search());
    REQUIRE(idle.begin_search());
    CHECK_FALSE(idle.finish_search_found());
    CHECK(idle.finish_search_found());
}

TEST_CASE("at most half of the workers search, but one always may", "[park][idle]") {
    const std::size_t workers = GENERATE(1U, 2U, 3U, 4U, 7U, 256U);
    idle_type idle(workers);
    std::size_t searchers = 0;
    while (idle.begin_search()) ++searchers;
    CHECK(searchers == (workers + 1) / 2);
    CHECK(idle.searching() == searchers);
}

TEST_CASE("a worker that nobody claimed retracts by itself", "[park][idle]") {
    idle_type idle(2);
    REQUIRE(idle.begin_search());
    idle.announce_idle(1, true);
    CHECK(idle.searching() == 0);
    CHECK(idle.idle_count() == 1);
    CHECK(idle.retract_idle(1) == retract_result::retracted);
    CHECK(idle.idle_count() == 0);
    CHECK_FALSE(idle.notify_one());
}

TEST_CASE("the re-scan runs after the worker is visible as idle", "[park][idle]") {
    idle_type idle(2);
    std::size_t idle_then = 0;
    CHECK(idle.announce_idle(0, false, [&] {
        idle_then = idle.idle_count();
        return true;
    }));
    CHECK(idle_then == 1);
    CHECK_FALSE(idle.announce_idle(1, false, [] { return false; }));
}

TEST_CASE("notifying all claims every idle worker once", "[park][idle]") {
    const std::size_t workers = GENERATE(1U, 63U, 64U, 65U, 200U, 256U);
    idle_type idle(workers);
    announce_all(idle, workers);
    std::multiset<std::size_t> woken;
    idle.notify_all([&](std::size_t w) { woken.insert(w); });
    REQUIRE(woken.size() == workers);
    CHECK(std::set<std::size_t>(woken.begin(), woken.end()).size() == workers);
    CHECK(*woken.rbegin() == workers - 1);
    CHECK(idle.searching() == workers);
    for (std::size_t w = 0; w < workers; ++w) {
        REQUIRE(idle.retract_idle(w) == retract_result::claimed);
        REQUIRE(idle.finish_search_found() == (w + 1 == workers));
    }
}

TEST_CASE("a worker beyond the first 64 is found", "[park][idle]") {
    idle_type idle(256);
    idle.announce_idle(255, false);
    CHECK(idle.notify_one() == std::optional<std::size_t>(255));
}
