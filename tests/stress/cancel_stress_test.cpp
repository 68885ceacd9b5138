// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Cancellations from foreign threads against tasks in every kind of wait, and their counts.
#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

struct tally {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> ended{0};
    std::atomic<std::uint64_t> delivered{0};
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<bool> enough{false};
};

coro<> spins(tally& t) {
    while (!t.enough) co_await yield();
}

coro<> short_sleeps(tally& t) {
    while (!t.enough) co_await sleep(std::chrono::microseconds{50});
}

coro<> awaits_tasks(tally& t) {
    while (!t.enough) {
        task<> child = create_task(coro_sleep(std::chrono::microseconds{30}));
        co_await child;
    }
}

coro<> gathers(tally& t) {
    while (!t.enough) {
        co_await gather(coro_sleep(std::chrono::microseconds{20}),
                        coro_sleep(std::chrono::microseconds{40}));
    }
}

coro<> one_yield() { co_await yield(); }

coro<> forks(tally& t) {
    while (!t.enough) {
        co_await when_all(one_yield(), coro_sleep(std::chrono::microseconds{25}), one_yield());
    }
}

coro<> limits(tally& t) {
    while (!t.enough) {
        try {
            co_await with_timeout(std::chrono::microseconds{30},
                                  coro_sleep(std::chrono::microseconds{35}));
        } catch (const timeout_error&) {
        }
    }
}

using way = coro<> (*)(tally&);
constexpr std::array<way, 6> ways{&spins, &short_sleeps, &awaits_tasks, &gathers, &forks, &limits};

/// Goes on in spite of every cancellation until there have been enough.
coro<> survivor(tally& t, way wait) {
    ++t.begun;
    while (!t.enough) {
        try {
            co_await wait(t);
        } catch (const cancelled&) {
            ++t.delivered;
        }
    }
    ++t.ended;
}

/// Dies of the first one, is replaced, and so on.
coro<> mortal(tally& t, way wait) {
    ++t.begun;
    scope_exit leaving{[&t] { ++t.ended; }};
    co_await wait(t);
}

coro<> replaces_the_dead(tally& t, std::array<std::atomic<bool>, ways.size()>& dead) {
    while (!t.enough) {
        for (std::size_t i = 0; i < ways.size(); ++i) {
            if (!dead[i].exchange(false)) continue;
            task<> next = create_task(mortal(t, ways[i]));
            next.add_done_callback([&dead, i](any_task) { dead[i] = true; });
        }
        co_await yield();
    }
}

coro<> wait_for_all(const std::vector<task<>>& tasks) {
    for (const task<>& t : tasks) co_await ended(t);
}

void storm(const std::vector<task<>>& targets, tally& t, std::uint64_t seed, std::size_t rounds) {
    std::minstd_rand random{static_cast<std::minstd_rand::result_type>(seed)};
    for (std::size_t i = 0; i < rounds; ++i) {
        const task<>& target = targets[random() % targets.size()];
        if (target.cancel("storm")) ++t.accepted;
        for (auto n = random() % 500; n > 0; --n) detail::real_environment::relax();
    }
}

}  // namespace

TEST_CASE("a storm of cancellations against every kind of wait") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        std::vector<task<>> targets;
        for (way wait : ways) {
            for (int i = 0; i < 4; ++i) targets.push_back(r.spawn(survivor(t, wait)));
        }
        // A task that is cancelled before its first step never begins.
        while (t.begun != targets.size()) std::this_thread::yield();
        std::vector<std::thread> threads;
        for (std::uint64_t i = 0; i < 2; ++i) {
            threads.emplace_back(
                [&targets, &t, i] { storm(targets, t, seed() + i, stress_iterations(10'000)); });
        }
        for (std::thread& thread : threads) thread.join();
        t.enough = true;
        r.block_on(wait_for_all(targets));
        r.close();
        std::uint64_t counted = 0;
        std::uint64_t missed = 0;
        for (const task<>& target : targets) {
            counted += target.cancelling();
            missed += target.cancelled() ? 1u : 0u;
        }
        CHECK(counted == t.accepted);
        CHECK(t.delivered <= t.accepted);
        CHECK(t.delivered > 0);
        CHECK(t.ended == targets.size());
        CHECK(missed <= targets.size());  // a request in the last instant drops the value
        CHECK(r.statistics().timers_armed == 0);
    });
}

TEST_CASE("tasks that die of cancellation are all told and all end") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        std::array<std::atomic<bool>, ways.size()> dead{};
        for (auto& d : dead) d = true;
        {
            runtime r{{.workers = workers}};
            task<> nursery = r.spawn(replaces_the_dead(t, dead));
            std::minstd_rand random{static_cast<std::minstd_rand::result_type>(seed())};
            auto cancels_all = [](any_task spared) -> coro<> {
                for (const any_task& each : all_tasks()) {
                    if (each != spared && each != current_task()) each.cancel("cull");
                }
                co_return;
            };
            for (std::size_t i = 0; i < stress_iterations(300); ++i) {
                r.block_on(cancels_all(nursery));
                for (auto n = random() % 20'000; n > 0; --n) detail::real_environment::relax();
            }
            t.enough = true;
            r.block_on(ended(nursery));
        }
        CHECK(t.begun == t.ended);
        CHECK(t.begun > 0);
    });
}

TEST_CASE("a foreign cancellation races with the end of the runtime") {
    on_workers({1, 2}, [](unsigned workers) {
        for (std::size_t i = 0; i < stress_iterations(300); ++i) {
            std::atomic<bool> go{false};
            std::thread canceller;
            {
                gate never;
                runtime r{{.workers = workers}};
                task<> t = r.spawn(pass(never));
                canceller = std::thread{[t, &go]() mutable {
                    while (!go) std::this_thread::yield();
                    t.cancel();
                }};
                while (never.waiting() == 0) std::this_thread::yield();
                go = true;
                r.block_on(ended(t));
            }
            canceller.join();
        }
    });
}
