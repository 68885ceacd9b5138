// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a task pays for one step, on one worker with nothing else to do: the floor below the
// scenario of the same name. The loops run inside a task; times are of the wall clock.
#include <weft/weft.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "weft/task/frame_pool.hpp"

namespace weft {
namespace {

coro<std::uint64_t> number(std::uint64_t i) { co_return i; }

coro<std::uint64_t> number_after_yield(std::uint64_t i) {
    co_await yield();
    co_return i;
}

/// A coroutine awaited in place: the cost of a call.
coro<void> await_in_place(benchmark::State& state) {
    for (auto _ : state) {
        const std::uint64_t value = co_await number(1);
        benchmark::DoNotOptimize(value);
    }
}

coro<void> create_and_await(benchmark::State& state) {
    for (auto _ : state) {
        const std::uint64_t value = co_await create_task(number(1));
        benchmark::DoNotOptimize(value);
    }
}

/// A detached task, made and run: one yield lets it have its turn.
coro<void> create_and_run(benchmark::State& state) {
    for (auto _ : state) {
        create_task(number(1));
        co_await yield();
    }
}

/// The same for a callback.
coro<void> call_soon_and_run(benchmark::State& state) {
    std::uint64_t calls = 0;
    for (auto _ : state) {
        call_soon([&calls] { ++calls; });
        co_await yield();
    }
    benchmark::DoNotOptimize(calls);
}

/// One that is cancelled before its time, and ends in its turn.
coro<void> call_later_and_cancel(benchmark::State& state) {
    std::uint64_t calls = 0;
    for (auto _ : state) {
        call_later(std::chrono::seconds(10), [&calls] { ++calls; }).cancel();
        co_await yield();
    }
    benchmark::DoNotOptimize(calls);
}

/// Two children, of which the second is pushed and popped again.
coro<void> fork_two(benchmark::State& state) {
    for (auto _ : state) {
        const auto [left, right] = co_await when_all(number(1), number(2));
        benchmark::DoNotOptimize(left + right);
    }
}

coro<void> fork_ten_in_a_vector(benchmark::State& state) {
    for (auto _ : state) {
        std::vector<coro<std::uint64_t>> children;
        children.reserve(10);
        for (std::uint64_t i = 0; i < 10; ++i) children.push_back(number(i));
        const std::vector<std::uint64_t> values = co_await when_all(std::move(children));
        benchmark::DoNotOptimize(values.data());
    }
}

/// A yield with nobody to yield to.
coro<void> yield_alone(benchmark::State& state) {
    for (auto _ : state) co_await yield();
}

coro<void> timeout_in_time(benchmark::State& state) {
    for (auto _ : state) {
        const std::uint64_t value = co_await with_timeout(std::chrono::seconds(10), number(1));
        benchmark::DoNotOptimize(value);
    }
}

coro<void> timeout_around_a_yield(benchmark::State& state) {
    for (auto _ : state) {
        const std::uint64_t value =
            co_await with_timeout(std::chrono::seconds(10), number_after_yield(1));
        benchmark::DoNotOptimize(value);
    }
}

using body = coro<void>(benchmark::State&);

void on_one_worker(benchmark::State& state, body* loop) {
    runtime one_worker({.workers = 1});
    one_worker.block_on(loop(state));
}

BENCHMARK_CAPTURE(on_one_worker, await_in_place, &await_in_place)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, create_and_await, &create_and_await)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, create_and_run, &create_and_run)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, call_soon_and_run, &call_soon_and_run)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, call_later_and_cancel, &call_later_and_cancel)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, fork_two, &fork_two)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, fork_ten_in_a_vector, &fork_ten_in_a_vector)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, yield_alone, &yield_alone)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, timeout_in_time, &timeout_in_time)->UseRealTime();
BENCHMARK_CAPTURE(on_one_worker, timeout_around_a_yield, &timeout_around_a_yield)->UseRealTime();

/// A frame's memory, from the free list and back.
void allocate_and_free(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        void* block = detail::allocate_block(bytes);
        benchmark::DoNotOptimize(block);
        detail::free_block(block, bytes);
    }
}
BENCHMARK(allocate_and_free)->Arg(128)->Arg(512)->Arg(8192);

}  // namespace
}  // namespace weft
