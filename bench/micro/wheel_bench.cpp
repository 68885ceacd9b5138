// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The timer wheel alone, with other timers armed beside: what a timeout that never fires costs (it
// is armed and removed), what a sleep costs (it is armed and expires), and the question before
// every park. Every figure is time per timer.
#include "weft/wheel/timer_wheel.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

namespace weft::detail {
namespace {

constexpr std::int64_t second = 1'000'000'000;

/// Timers that stay armed, within the next hour.
class background {
public:
    background(timer_wheel& wheel, std::int64_t count)
        : wheel_(wheel), entries_(static_cast<std::size_t>(count)) {
        std::mt19937_64 random(1);
        std::uniform_int_distribution<std::int64_t> delay(second, 3600 * second);
        for (timer_entry& entry : entries_) wheel_.insert(entry, delay(random));
    }
    background(const background&) = delete;
    background& operator=(const background&) = delete;
    ~background() {
        for (timer_entry& entry : entries_) wheel_.remove(entry);
    }

private:
    timer_wheel& wheel_;
    std::vector<timer_entry> entries_;
};

/// A timeout of ten seconds around something that takes no time.
void insert_remove(benchmark::State& state) {
    timer_wheel wheel;
    const background others(wheel, state.range(0));
    timer_entry entry;
    for (auto _ : state) {
        wheel.insert(entry, 10 * second);
        benchmark::DoNotOptimize(wheel.remove(entry));
    }
}
BENCHMARK(insert_remove)->Arg(0)->Arg(100'000);

void next_deadline(benchmark::State& state) {
    timer_wheel wheel;
    const background others(wheel, state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(wheel.next_deadline());
}
BENCHMARK(next_deadline)->Arg(1)->Arg(100'000);

/// `count` sleeps spread over one second, armed in no order of their deadlines, expired in steps of
/// 50 us as a loop would.
void insert_expire(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    std::vector<timer_entry> entries(count);
    std::vector<std::int64_t> delays(count);
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::int64_t> delay(0, second);
    for (std::int64_t& each : delays) each = delay(random);

    timer_wheel wheel;
    std::int64_t now = 0;
    for (auto _ : state) {
        for (std::size_t i = 0; i < count; ++i) wheel.insert(entries[i], now + delays[i]);
        timer_list due;
        while (!wheel.is_empty()) {
            now += 50'000;
            wheel.expire(now, due);
            while (due.pop_front() != nullptr) {
            }
        }
    }
    const auto timers = state.iterations() * state.range(0);
    state.counters["per_timer"] = benchmark::Counter(
        static_cast<double>(timers), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(insert_expire)->Arg(1'000)->Arg(200'000);

}  // namespace
}  // namespace weft::detail
