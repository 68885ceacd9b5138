// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The work deque alone: what the owner pays for a push and a pop, what a thief pays for one item
// and for one of a batch. Every figure is time per item.
#include "weft/queue/work_deque.hpp"

#include <atomic>
#include <cstdint>
#include <thread>

#include <benchmark/benchmark.h>

namespace weft::detail {
namespace {

using deque = work_deque<real_environment, int>;

// The runtime does this before its first worker; without it every light fence is a full one.
[[maybe_unused]] const bool ready = (real_environment::initialise(), true);

int one_item;  // the deque never looks into what it holds

void count_items(benchmark::State& state, std::int64_t per_iteration) {
    state.SetItemsProcessed(state.iterations() * per_iteration);
    state.counters["per_item"] =
        benchmark::Counter(static_cast<double>(state.iterations() * per_iteration),
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// The fork-join pattern: what was pushed is popped again, `depth` at a time.
void push_pop(benchmark::State& state) {
    const std::int64_t depth = state.range(0);
    deque shared;
    auto owner = shared.owner();
    for (auto _ : state) {
        for (std::int64_t i = 0; i < depth; ++i) owner.push(&one_item);
        for (std::int64_t i = 0; i < depth; ++i) benchmark::DoNotOptimize(owner.pop());
    }
    count_items(state, depth);
}
BENCHMARK(push_pop)->Arg(1)->Arg(8)->Arg(64);

/// The ready queue's pattern: first in, first out, by the owner alone.
void push_take_front(benchmark::State& state) {
    const std::int64_t depth = state.range(0);
    deque shared;
    auto owner = shared.owner();
    for (auto _ : state) {
        for (std::int64_t i = 0; i < depth; ++i) owner.push(&one_item);
        for (std::int64_t i = 0; i < depth; ++i) benchmark::DoNotOptimize(owner.take_front());
    }
    count_items(state, depth);
}
BENCHMARK(push_take_front)->Arg(1)->Arg(64);

/// One item at a time from a deque whose owner may pop: the heavy fence is the thief's. The second
/// thread keeps the process from being single-threaded, for which the kernel skips the fence.
void steal(benchmark::State& state) {
    std::atomic<bool> stop{false};
    std::jthread other([&stop] { stop.wait(false); });
    deque shared;
    auto owner = shared.owner();
    const auto thief = shared.thief();
    for (auto _ : state) {
        owner.push(&one_item);
        benchmark::DoNotOptimize(thief.steal());
    }
    stop.store(true);
    stop.notify_one();
    count_items(state, 1);
}
BENCHMARK(steal);

void steal_fifo(benchmark::State& state) {
    deque shared;
    auto owner = shared.owner();
    const auto thief = shared.thief();
    for (auto _ : state) {
        owner.push(&one_item);
        benchmark::DoNotOptimize(thief.steal_fifo());
    }
    count_items(state, 1);
}
BENCHMARK(steal_fifo);

/// Batches: half of a full deque moves to the thief's own, which is then emptied.
void steal_half(benchmark::State& state) {
    const std::int64_t depth = state.range(0);
    deque victim;
    deque mine;
    auto owner = victim.owner();
    auto into = mine.owner();
    const auto thief = victim.thief();
    std::int64_t moved = 0;
    for (auto _ : state) {
        for (std::int64_t i = 0; i < depth; ++i) owner.push(&one_item);
        while (const stolen<int> batch = thief.steal_half(into)) {
            moved += 1 + static_cast<std::int64_t>(batch.moved);
            while (into.take_front() != nullptr) {
            }
        }
    }
    if (moved != state.iterations() * depth) state.SkipWithError("items were lost");
    count_items(state, depth);
}
BENCHMARK(steal_half)->Arg(2)->Arg(64);

/// The owner's push and pop while another thread steals from the same deque as fast as it can.
void push_pop_beside_a_thief(benchmark::State& state) {
    deque shared;
    auto owner = shared.owner();
    std::atomic<bool> stop{false};
    std::uint64_t stolen_items = 0;
    std::jthread thief([&, from = shared.thief()] {
        while (!stop.load(std::memory_order_relaxed)) {  // ends the bench, orders nothing
            if (from.steal()) ++stolen_items;
        }
    });
    for (auto _ : state) {
        for (int i = 0; i < 8; ++i) owner.push(&one_item);
        for (int i = 0; i < 8; ++i) benchmark::DoNotOptimize(owner.pop());
    }
    stop.store(true, std::memory_order_relaxed);  // the join below orders
    thief.join();
    count_items(state, 8);
    state.counters["stolen"] = static_cast<double>(stolen_items);
}
BENCHMARK(push_pop_beside_a_thief)->UseRealTime();

}  // namespace
}  // namespace weft::detail
