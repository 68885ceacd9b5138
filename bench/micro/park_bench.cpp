// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Parking alone: what a producer pays to find out that nobody has to be woken, and how long a
// sleeping worker takes to be up.
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"

#include <atomic>
#include <thread>

#include <benchmark/benchmark.h>

namespace weft::detail {
namespace {

// The runtime does this before its first worker; without it every light fence is a full one.
[[maybe_unused]] const bool ready = (real_environment::initialise(), true);

/// The common case of every submit: all workers are awake.
void notify_when_all_are_awake(benchmark::State& state) {
    idle_set<real_environment> idle(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(idle.notify_one());
}
BENCHMARK(notify_when_all_are_awake)->Arg(2)->Arg(128);

/// A worker that announces itself and takes that back: the way of a spurious idle round. The heavy
/// fence is in it.
void announce_and_retract(benchmark::State& state) {
    idle_set<real_environment> idle(2);
    for (auto _ : state) {
        idle.announce_idle(0, false);
        benchmark::DoNotOptimize(idle.retract_idle(0));
    }
}
BENCHMARK(announce_and_retract);

/// A token for a worker that is awake.
void unpark_and_consume(benchmark::State& state) {
    parker<real_environment> worker;
    for (auto _ : state) {
        benchmark::DoNotOptimize(worker.unpark());
        benchmark::DoNotOptimize(worker.clear_token());
    }
}
BENCHMARK(unpark_and_consume);

/// Two threads that wake each other in turn and sleep in between: the time of two wake-ups.
void wake_each_other(benchmark::State& state) {
    parker<real_environment> here;
    parker<real_environment> there;
    std::atomic<bool> stop{false};
    std::jthread other([&] {
        for (;;) {
            static_cast<void>(there.park_futex(time_point::max()));
            // The token that was just consumed orders the flag.
            if (stop.load(std::memory_order_relaxed)) return;  // parker P1
            static_cast<void>(here.unpark());
        }
    });
    for (auto _ : state) {
        static_cast<void>(there.unpark());
        static_cast<void>(here.park_futex(time_point::max()));
    }
    stop.store(true, std::memory_order_relaxed);  // parker P1: the unpark below
    static_cast<void>(there.unpark());
}
BENCHMARK(wake_each_other)->UseRealTime();

}  // namespace
}  // namespace weft::detail
