// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a strand costs its user: making one, posting to it, having it. The loops run inside a task
// on one worker; times are of the wall clock.
#include <weft/weft.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

namespace weft {
namespace {

constexpr std::int64_t batch = 1000;

coro<void> create(benchmark::State& state) {
    for (auto _ : state) {
        const strand fresh;
        benchmark::DoNotOptimize(&fresh);
    }
    co_return;
}

/// The post alone: what it queued runs while the clock stands.
coro<void> post_to_busy(benchmark::State& state) {
    const strand s;
    std::uint64_t sum = 0;
    s.post([&sum] { ++sum; });
    for (std::int64_t i = 0; auto _ : state) {
        s.post([&sum] { ++sum; });
        if (++i % batch != 0) continue;
        state.PauseTiming();
        co_await s.run([] {});
        s.post([&sum] { ++sum; });
        state.ResumeTiming();
    }
    co_await s.run([] {});
    benchmark::DoNotOptimize(sum);
}

/// The same where each post finds its strand idle and makes a driver.
coro<void> post_to_idle(benchmark::State& state) {
    const std::vector<strand> strands(batch);
    std::uint64_t sum = 0;
    for (std::int64_t i = 0; auto _ : state) {
        strands[static_cast<std::size_t>(i % batch)].post([&sum] { ++sum; });
        if (++i % batch != 0) continue;
        state.PauseTiming();
        for (const strand& s : strands) co_await s.run([] {});
        state.ResumeTiming();
    }
    for (const strand& s : strands) co_await s.run([] {});
    benchmark::DoNotOptimize(sum);
}

/// A thousand posts to one strand, until they have run.
coro<void> post_and_run(benchmark::State& state) {
    const strand s;
    std::uint64_t sum = 0;
    for (auto _ : state) {
        for (std::int64_t i = 0; i < batch; ++i) s.post([&sum] { ++sum; });
        co_await s.run([] {});
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * batch);
}

/// A strand each for a thousand posts, until they have run.
coro<void> post_and_run_on_many(benchmark::State& state) {
    const std::vector<strand> strands(batch);
    std::uint64_t sum = 0;
    for (auto _ : state) {
        for (const strand& s : strands) s.post([&sum] { ++sum; });
        co_await yield();
    }
    for (const strand& s : strands) co_await s.run([] {});
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * batch);
}

/// An idle strand is had without a suspension.
coro<void> run_on_idle(benchmark::State& state) {
    const strand s;
    std::uint64_t sum = 0;
    for (auto _ : state) co_await s.run([&sum] { ++sum; });
    benchmark::DoNotOptimize(sum);
}

coro<void> create_and_await_task(benchmark::State& state) {
    const strand s;
    auto number = []() -> coro<int> { co_return 1; };
    for (auto _ : state) {
        const int value = co_await s.create_task(number());
        benchmark::DoNotOptimize(value);
    }
}

using body = coro<void>(benchmark::State&);

void on_one_worker(benchmark::State& state, body* loop) {
    runtime one_worker({.workers = 1});
    one_worker.block_on(loop(state));
}

BENCHMARK_CAPTURE(on_one_worker, create, &create)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, post_to_busy, &post_to_busy)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, post_to_idle, &post_to_idle)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, post_and_run, &post_and_run)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, post_and_run_on_many, &post_and_run_on_many)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, run_on_idle, &run_on_idle)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, create_and_await_task, &create_and_await_task)->UseRealTime();

}  // namespace
}  // namespace weft
