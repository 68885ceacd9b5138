// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/cache_map.hpp"

#include <sched.h>

#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "sched/worker_places.hpp"
#include "support/catch.hpp"
#include "support/cpu_tree.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_near.hpp"

using namespace weft;
using namespace weft::test;
using detail::cache_map;
using detail::worker_places;

namespace {

std::vector<unsigned> first_cpus(unsigned count) {
    std::vector<unsigned> cpus(count);
    std::iota(cpus.begin(), cpus.end(), 0U);
    return cpus;
}

/// Which are reached, in order, as far as there are.
template <class Walk>
std::vector<std::size_t> visited(Walk walk) {
    std::vector<std::size_t> seen;
    walk([&](std::size_t w) -> const std::size_t* {
        seen.push_back(w);
        return nullptr;
    });
    return seen;
}

coro<int> leaf(int value) {
    co_await yield();
    co_return value;
}

/// One producer, whose tasks all others have to steal.
coro<long> produce(int count) {
    std::vector<task<int>> made;
    for (int i = 0; i < count; ++i) made.push_back(create_task(leaf(i)));
    long sum = 0;
    for (auto& each : made) sum += co_await each;
    co_return sum;
}

}  // namespace

TEST_CASE("cpus that share an L3 are a group", "[sched][cache]") {
    cpu_tree tree;
    for (const unsigned cpu : {0U, 1U, 4U, 5U}) tree.add_cpu(cpu, "0-1,4-5");
    for (const unsigned cpu : {2U, 3U, 6U, 7U}) tree.add_cpu(cpu, "2-3,6-7");
    const cache_map map(tree.root(), first_cpus(8));
    CHECK(map.group_count() == 2);
    for (unsigned cpu = 0; cpu < 8; ++cpu) CHECK(map.group_of(cpu) == (cpu / 2) % 2);
    CHECK(map.group_of(8) == cache_map::no_group);
    CHECK(map.group_of(100'000) == cache_map::no_group);
}

TEST_CASE("only the cpus that are allowed count", "[sched][cache]") {
    cpu_tree tree;
    for (unsigned cpu = 0; cpu < 4; ++cpu) tree.add_cpu(cpu, cpu < 2 ? "0-1" : "2-3");
    const std::vector<unsigned> far_half{2, 3};
    CHECK(cache_map(tree.root(), far_half).group_count() == 1);
    const std::vector<unsigned> three{0, 1, 3};
    const cache_map map(tree.root(), three);
    CHECK(map.group_count() == 2);
    CHECK(map.group_of(1) == 0);
    CHECK(map.group_of(3) == 1);
}

TEST_CASE("groups of one cpu each are no groups", "[sched][cache]") {
    cpu_tree tree;
    for (unsigned cpu = 0; cpu < 4; ++cpu) tree.add_cpu(cpu, cpu < 2 ? "0-1" : "2-3");
    const std::vector<unsigned> one_of_each{1, 3};
    CHECK(cache_map(tree.root(), one_of_each).group_count() == 1);
}

TEST_CASE("the map follows the cpus that a thread may run on", "[sched][cache]") {
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    const scope_exit restored([&] { sched_setaffinity(0, sizeof before, &before); });
    const unsigned whole = cache_map::of_this_thread().group_count();
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(cache_map::of_this_thread().group_count() == 1);
    REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
    CHECK(cache_map::of_this_thread().group_count() == whole);
}

TEST_CASE("a cpu that is offline has no caches and is in nobody's list", "[sched][cache]") {
    cpu_tree tree;
    tree.add_cpu(0, "0");
    std::filesystem::create_directories(tree.root() + "/cpu1");
    tree.add_cpu(2, "2-3");
    tree.add_cpu(3, "2-3");
    const std::vector<unsigned> online{0, 2, 3};
    const cache_map map(tree.root(), online);
    CHECK(map.group_count() == 2);
    CHECK(map.group_of(1) == cache_map::no_group);
    CHECK(map.group_of(3) == 1);
}

TEST_CASE("what sysfs does not tell makes one group", "[sched][cache]") {
    cpu_tree tree;
    tree.add_cpu(0, "0");
    SECTION("no folder at all") {
        CHECK(cache_map(tree.root() + "/none", first_cpus(2)).group_count() == 1);
    }
    SECTION("a cpu without caches") {
        CHECK(cache_map(tree.root(), first_cpus(2)).group_count() == 1);
    }
    SECTION("a cpu without an L3") {
        tree.add_cache(1, 0, "2", "Unified", "1");
        CHECK(cache_map(tree.root(), first_cpus(2)).group_count() == 1);
    }
    SECTION("a level without a list") {
        tree.add_cpu(1, "1");
        std::filesystem::remove(tree.root() + "/cpu1/cache/index3/shared_cpu_list");
        CHECK(cache_map(tree.root(), first_cpus(2)).group_count() == 1);
    }
    SECTION("no cpus") { CHECK(cache_map(tree.root(), {}).group_count() == 1); }
    SECTION("a cpu beyond what there can be") {
        const std::vector<unsigned> beyond{0, 4'000'000'000U};
        CHECK(cache_map(tree.root(), beyond).group_count() == 1);
    }
}

TEST_CASE("a list that makes no sense makes one group", "[sched][cache]") {
    const char* const list = GENERATE("", "x", "1-", "-1", "1,", ",1", "1-x", "3-1", "1 ", "0x1",
                                      "99999999999999999999", "0-99999999", "2-3", "1;2");
    CAPTURE(list);
    cpu_tree tree;
    tree.add_cpu(0, "0");
    tree.add_cpu(1, list);
    CHECK(cache_map(tree.root(), first_cpus(2)).group_count() == 1);
}

TEST_CASE("the near ones are visited, and all others once in a pass", "[sched][cache]") {
    cpu_tree tree;
    for (unsigned cpu = 0; cpu < 6; ++cpu) tree.add_cpu(cpu, cpu < 3 ? "0-2" : "3-5");
    worker_places places(6, cache_map(tree.root(), first_cpus(6)));
    REQUIRE(places.has_groups());
    for (std::size_t w = 0; w < 6; ++w) places.note(w, static_cast<unsigned>(w));
    const std::size_t self = 4;
    const std::uint16_t here = places.place_of(self);
    CHECK(visited([&](auto see) { visit_near(places, here, {6, 2, self}, see); }) ==
          std::vector<std::size_t>{3, 5});
    CHECK(visited([&](auto see) { visit_near(places, here, {6, 5, self}, see); }) ==
          std::vector<std::size_t>{5, 3});
    CHECK(visited([&](auto see) { detail::visit_others({6, 2, self}, see); }) ==
          std::vector<std::size_t>{2, 3, 5, 0, 1});
    places.note(3, 0);  // it has moved
    CHECK(visited([&](auto see) { visit_near(places, here, {6, 2, self}, see); }) ==
          std::vector<std::size_t>{5});
}

TEST_CASE("each neighbour is as often the first one", "[sched][cache]") {
    cpu_tree tree;
    for (unsigned cpu = 0; cpu < 64; ++cpu) {
        const unsigned first = cpu / 8 * 8;
        tree.add_cpu(cpu, std::to_string(first) + "-" + std::to_string(first + 7));
    }
    worker_places places(64, cache_map(tree.root(), first_cpus(64)));
    for (std::size_t w = 0; w < 64; ++w) places.note(w, static_cast<unsigned>(w));
    std::vector<int> times(64, 0);
    for (std::size_t start = 0; start < 700; ++start) {
        const auto seen = visited([&](auto see) { visit_near(places, 2, {64, start, 19}, see); });
        REQUIRE(seen.size() == 7);
        ++times[seen.front()];
    }
    for (std::size_t w = 16; w < 24; ++w) CHECK(times[w] == (w == 19 ? 0 : 100));
}

TEST_CASE("a worker in no known place is near nobody", "[sched][cache]") {
    cpu_tree tree;
    for (unsigned cpu = 0; cpu < 4; ++cpu) tree.add_cpu(cpu, cpu < 2 ? "0-1" : "2-3");
    worker_places places(4, cache_map(tree.root(), first_cpus(4)));
    places.note(1, 1);
    CHECK(visited([&](auto see) { visit_near(places, 0, {4, 0, 3}, see); }) ==
          std::vector<std::size_t>{1});
    const std::uint16_t nowhere = places.note(2, 77);
    CHECK(visited([&](auto see) { visit_near(places, nowhere, {4, 0, 2}, see); }).empty());
}

TEST_CASE("a round ends with what was found", "[sched][cache]") {
    int calls = 0;
    const std::size_t wanted = 3;
    const auto* found = detail::visit_others({8, 2, 0}, [&](std::size_t w) {
        ++calls;
        return w == wanted ? &wanted : nullptr;
    });
    CHECK(found == &wanted);
    CHECK(calls == 2);
}

TEST_CASE("workers near different caches share their work", "[sched][cache]") {
    on_workers({3, 4, 8}, [](unsigned workers) {
        runtime here = runtime_near(caches::two, {.workers = workers});
        for (int round = 0; round < 20; ++round) {
            REQUIRE(here.block_on(produce(2000)) == 2000L * 1999 / 2);
        }
    });
}
