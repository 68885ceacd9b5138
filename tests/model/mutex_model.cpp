// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The futex mutex under the model checker: one holder at a time, its data handed on, no sleeper
// forgotten.
#include "engine/cases.hpp"
#include "support/catch.hpp"
#include "weft/park/biased_mutex.hpp"
#include "weft/park/futex_mutex.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using futex_mutex = weft::detail::futex_mutex<env>;

/// The holder sleeps inside its section, so that the others use up their spins and sleep too.
void pause() {
    env::atomic<std::uint32_t> nobody{0};
    while (env::futex_wait(nobody, 0, env::now() + std::chrono::milliseconds(1))) {
    }
}

scenario_body counting(int threads, int rounds) {
    return [=](scenario& s) {
        futex_mutex mutex;
        env::cell<int> count{0};
        s.name(mutex, "mutex");
        s.name(count, "count");
        for (int i = 0; i < threads; ++i) {
            s.thread("locker", [&, rounds] {
                for (int round = 0; round < rounds; ++round) {
                    mutex.lock();
                    count.store(count.load() + 1);
                    if (round == 0) pause();
                    mutex.unlock();
                }
            });
        }
        s.finally([&] { require(count.load() == threads * rounds, "nothing is counted twice"); });
    };
}

const registered_case pair({
    .structure = "mutex",
    .name = "two threads lock twice",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2, .exhaustive_executions = 60'000},
    .body = counting(2, 2),
});

const registered_case trio({
    .structure = "mutex",
    .name = "three threads lock once",
    .kills = {},
    .limits = {.preemptions = 2, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = counting(3, 1),
});

using biased_mutex = weft::detail::biased_mutex<env>;

scenario_body owner_and_visitor(int visits) {
    return [=](scenario& s) {
        biased_mutex mutex;
        env::cell<int> count{0};
        s.name(mutex, "mutex");
        s.name(count, "count");
        s.thread("owner", [&] {
            for (int round = 0; round < 2; ++round) {
                mutex.lock_by_owner();
                count.store(count.load() + 1);
                mutex.unlock_by_owner();
            }
        });
        s.thread("visitor", [&, visits] {
            for (int round = 0; round < visits; ++round) {
                mutex.lock();
                count.store(count.load() + 1);
                mutex.unlock();
            }
        });
        s.finally([&] { require(count.load() == 2 + visits, "nothing is counted twice"); });
    };
}

const registered_case biased({
    .structure = "biased",
    .name = "an owner goes in twice while a visitor comes",
    .kills = {mutation::biased_owner_without_fence, mutation::biased_visitor_without_fence,
              mutation::biased_visitor_does_not_wait},
    .limits = {.preemptions = 3, .stale_loads = 2, .exhaustive_executions = 60'000},
    .body = owner_and_visitor(1),
});

}  // namespace

TEST_CASE("a biased mutex keeps its owner and its visitors apart", "[mutex]") {
    check_cases("biased");
}

TEST_CASE("a futex mutex has one holder and forgets no sleeper", "[mutex]") {
    check_cases("mutex");
}

}  // namespace weft::model
