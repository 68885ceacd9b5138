// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Everything at once, in a random order that can be replayed: no wait exceeds the bounds of
// docs/architecture.md, section Fairness.
#include "sched/fairness.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "busy_stage.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;
namespace fairness = detail::fairness;

namespace {

constexpr nanoseconds longest_run = 10us;
constexpr nanoseconds longest_child = 200ns;

/// docs/architecture.md: the longest wait of a normal task with `ahead` before it, on one worker.
longest_wait bound(std::uint64_t ahead) {
    const std::uint64_t turns = (ahead + 1) * fairness::longest_round;
    // Two bursts; of two children one begins in its parent's place.
    const nanoseconds forks = 2 * fairness::forks_per_look * 2 * longest_child;
    return {turns, turns * longest_run + (ahead + 1) * forks};
}

struct mixture {
    explicit mixture(stage& on) : s(on) {}
    stage& s;
    std::mt19937_64 random{seed()};
    std::array<detail::runnable*, 2> asleep{};
    longest_wait normal{};
    longest_wait woken{};
    longest_wait outside{};
    longest_wait urgent{};
    nanoseconds late{};

    void spend() { s.runtime.spend(nanoseconds{random() % (longest_run.count() + 1)}); }
};

coro<> mixed_child(mixture& m) {
    m.s.runtime.spend(nanoseconds{m.random() % (longest_child.count() + 1)});
    co_return;
}

coro<> mixed_forks(mixture& m) {
    while (!m.s.is_over) {
        for (auto i = m.random() % 3000; i != 0; --i) {
            co_await when_all(mixed_child(m), mixed_child(m));
        }
        co_await yield();
    }
}

coro<> mixed_yields(mixture& m, longest_wait* worst) {
    while (!m.s.is_over) {
        m.spend();
        const stop_watch watch{m.s};
        co_await yield();
        if (worst != nullptr) worst->raise_to(watch.stop(m.s));
    }
}

coro<> mixed_player(mixture& m, std::size_t me) {
    while (!m.s.is_over) {
        m.spend();
        const stop_watch watch{m.s};  // the other one naps, or is ready
        wake_if_any(m.asleep[1 - me]);
        co_await nap{m.asleep[me]};
        m.woken.raise_to(watch.stop(m.s));  // both waits
    }
    wake_if_any(m.asleep[1 - me]);
}

coro<> mixed_sleeper(mixture& m) {
    while (!m.s.is_over) {
        const auto due = m.s.runtime.now() + nanoseconds{m.random() % 3'000'000};
        co_await sleep_until(due);
        m.late = std::max(m.late, nanoseconds{m.s.runtime.now() - due});
    }
}

coro<> mixed_awaits(mixture& m) {
    while (!m.s.is_over) {
        m.spend();
        co_await create_task(mixed_child(m));
    }
}

coro<> mixed_stranger(mixture& m, stop_watch watch) {
    m.outside.raise_to(watch.stop(m.s));
    m.spend();
    co_return;
}

}  // namespace

TEST_CASE("no task of a random mixture waits longer than the bound") {
    const auto workers = GENERATE(1u, 2u);
    const int latency = GENERATE(0, 3);
    stage s{workers};
    mixture m{s};
    std::vector<task<>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(s.runtime.start(mixed_yields(m, &m.normal)));
    for (std::size_t i : {0u, 1u}) tasks.push_back(s.runtime.start(mixed_player(m, i)));
    for (int i = 0; i < 3; ++i) tasks.push_back(s.runtime.start(mixed_sleeper(m)));
    for (int i = 0; i < 2; ++i) tasks.push_back(s.runtime.start(mixed_awaits(m)));
    tasks.push_back(s.runtime.start(mixed_forks(m)));
    const std::uint64_t all = tasks.size() + 2 + 1;  // with those that are awaited, and a stranger
    for (int i = 0; i < latency; ++i) {
        tasks.push_back(s.runtime.start(mixed_yields(m, &m.urgent), at_latency));
        tasks.push_back(s.runtime.start(mixed_forks(m), at_latency));
    }
    tasks.push_back(s.runtime.start(mixed_yields(m, nullptr), in_background));
    for (int i = 0; i < 300; ++i) {
        task<> stranger = s.runtime.inject(mixed_stranger(m, stop_watch{s}));
        s.runtime.run_until([&] { return stranger.done(); });
        for (auto n = m.random() % 200; n != 0; --n) s.runtime.turn();
    }
    const longest_wait most = bound(all);
    CHECK(m.normal.turns <= most.turns);
    CHECK(m.normal.time <= most.time);
    CHECK(m.woken.turns <= 2 * most.turns);
    CHECK(m.woken.time <= 2 * most.time);
    CHECK(m.outside.turns <= 2 * bound(0).turns + most.turns);
    CHECK(m.outside.time <= 2 * bound(0).time + most.time);
    // Behind each other, and one await of theirs is of two children.
    CHECK(m.urgent.time <=
          2 * latency * (4 * longest_run + 4 * fairness::forks_per_look * 2 * longest_child));
    CHECK(m.late <= fairness::poll_interval + bound(0).time + most.time);
    s.finish();
}
