// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a worker offers its peers: when it counts as offered, and who calls for it again after a
// call that reached nobody (P4 of idle_set.hpp). No call reaches anybody while somebody is counted
// as searching, so a test that counts itself as that has what a missed parker has.
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "sched/runtime_core.hpp"
#include "support/catch.hpp"
#include "support/missed_calls.hpp"
#include "support/runtime_case.hpp"
#include "weft/runtime.hpp"

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

namespace {

constexpr task_options at_latency{.priority = priority::latency};
constexpr task_options in_background{.priority = priority::background};

bool offers() { return static_cast<detail::worker*>(detail::this_worker())->is_offering(); }

coro<> nothing() { co_return; }

coro<> raises(std::atomic<bool>& flag) {
    flag = true;
    co_return;
}

/// A normal task runs, with `others` ready behind it.
coro<bool> offers_beside(std::vector<task_options> others) {
    bool seen = false;
    std::vector<task<>> all;
    {
        missed_calls until_seen;
        for (const task_options& options : others) all.push_back(create_task(nothing(), options));
        seen = offers();
    }
    for (task<>& each : all) co_await each;
    co_return seen;
}

coro<bool> in_background_offers_beside(std::vector<task_options> others) {
    co_return co_await create_task(offers_beside(std::move(others)), in_background);
}

/// Computes for `length` in steps: each forks two children, the second over the first, and pops
/// both, so the worker goes on and calls nobody. Short steps, or it would count as stuck; fewer of
/// them than the forks after which a worker asks again itself.
coro<> forks_on(std::atomic<bool>& stolen, missed_calls& calls, std::chrono::milliseconds length) {
    calls.end();
    const stopwatch watch;
    const auto step = [&]() -> coro<> {
        const stopwatch of_step;
        while (of_step.elapsed() < 1ms) {
        }
        co_return;
    };
    while (!stolen && watch.elapsed() < length) co_await when_all(step(), step());
}

coro<bool> forks_beside_a_missed_peer() {
    std::atomic<bool> stolen{false};
    missed_calls calls;
    const std::thread::id home = std::this_thread::get_id();
    std::thread::id ran_by{};
    const auto notes = [&]() -> coro<> {
        ran_by = std::this_thread::get_id();
        stolen = true;
        co_return;
    };
    co_await when_all(forks_on(stolen, calls, 800ms), notes());
    co_return ran_by != home;
}

coro<> spins_until(std::atomic<bool>& flag) {
    const stopwatch watch;
    while (!flag && watch.elapsed() < soon) {
    }
    co_return;
}

/// The second task that is ready runs only if somebody else takes it.
coro<bool> spins_beside_a_missed_peer(priority own, priority other) {
    std::atomic<bool> ran{false};
    const auto body = [](std::atomic<bool>& flag, priority level) -> coro<> {
        task<> waiting;
        {
            missed_calls until_queued;
            waiting = create_task(raises(flag), {.priority = level});
        }
        co_await spins_until(flag);
        co_await waiting;
    };
    const stopwatch watch;
    co_await create_task(body(ran, other), {.priority = own});
    co_return watch.elapsed() < soon;
}

}  // namespace

TEST_CASE("what a worker offers") {
    runtime two{{.workers = 2, .slow_run = 0ms}};
    const auto beside = [&](std::vector<task_options> others) {
        return two.block_on(offers_beside(std::move(others)));
    };
    CHECK_FALSE(beside({}));
    CHECK_FALSE(beside({{}}));  // is its own next one
    CHECK(beside({{}, {}}));
    CHECK(beside({at_latency}));
    CHECK(beside({in_background}));
    const auto in_background_beside = [&](std::vector<task_options> others) {
        return two.block_on(in_background_offers_beside(std::move(others)));
    };
    CHECK_FALSE(in_background_beside({}));
    CHECK(in_background_beside({{}}));
    CHECK(in_background_beside({at_latency}));
    CHECK(in_background_beside({in_background}));
}

TEST_CASE("a fork that a peer was not called for in time is offered again") {
    runtime two{{.workers = 2, .slow_run = 0ms}};
    CHECK(two.block_on(forks_beside_a_missed_peer()));
}

TEST_CASE("a ready task that a peer was not called for in time is offered again") {
    runtime two{{.workers = 2, .slow_run = 0ms}};
    CHECK(two.block_on(spins_beside_a_missed_peer(priority::normal, priority::latency)));
    CHECK(two.block_on(spins_beside_a_missed_peer(priority::normal, priority::background)));
    CHECK(two.block_on(spins_beside_a_missed_peer(priority::background, priority::normal)));
}
