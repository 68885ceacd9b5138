// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// observe [WORKLOAD]... : the simulator's workloads on the real runtime, with 1 and 2 workers.
// Prints `workload workers time_ns resumptions steals stolen parks processor_ns`, each the median
// of the repetitions, to compare with the simulator's counts.
#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string_view>
#include <vector>

#include <sys/resource.h>

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::nanoseconds;

void burn(nanoseconds time) {
    const auto until = clock_type::now() + time;
    while (clock_type::now() < until) {
    }
}

double processor_time() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    return seconds * 1e9 + static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
}

weft::coro<std::uint64_t> fib(int n) {
    if (n < 2) co_return static_cast<std::uint64_t>(n);
    auto [left, right] = co_await weft::when_all(fib(n - 1), fib(n - 2));
    co_return left + right;
}

weft::coro<> task_of(nanoseconds time) {
    burn(time);
    co_return;
}

weft::coro<> producer(int count, nanoseconds time) {
    std::vector<weft::task<void>> tasks;
    tasks.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) tasks.push_back(weft::create_task(task_of(time)));
    for (auto& task : tasks) co_await std::move(task);
}

weft::coro<> bursts(int count, int tasks) {
    for (int i = 0; i < count; ++i) {
        co_await weft::sleep(std::chrono::milliseconds(5));
        co_await producer(tasks, std::chrono::microseconds(20));
    }
}

struct observation {
    double time, resumptions, steals, stolen, parks, processor;
};

observation once(unsigned workers, const std::function<void(weft::runtime&, int)>& body) {
    weft::runtime runtime({.workers = workers});
    body(runtime, static_cast<int>(workers));  // threads, memory
    const auto before = runtime.statistics();
    const double processor = processor_time();
    const auto start = clock_type::now();
    body(runtime, static_cast<int>(workers));
    const auto taken = nanoseconds(clock_type::now() - start).count();
    const double used = processor_time() - processor;
    const auto after = runtime.statistics();
    const auto grown = [](std::uint64_t from, std::uint64_t to) {
        return static_cast<double>(to - from);
    };
    return {static_cast<double>(taken),         grown(before.resumptions, after.resumptions),
            grown(before.steals, after.steals), grown(before.stolen, after.stolen),
            grown(before.parks, after.parks),   used};
}

void observe(const char* name, const std::function<void(weft::runtime&, int)>& body) {
    for (unsigned workers : {1u, 2u}) {
        std::vector<observation> all;
        for (int i = 0; i < 15; ++i) all.push_back(once(workers, body));
        const auto median = [&](double observation::* what) {
            std::ranges::sort(all, {}, what);
            return all[all.size() / 2].*what;
        };
        std::printf("%-8s %u", name, workers);
        for (double observation::* what :
             {&observation::time, &observation::resumptions, &observation::steals,
              &observation::stolen, &observation::parks, &observation::processor}) {
            std::printf(" %.0f", median(what));
        }
        std::printf(" least time %.0f\n", std::ranges::min(all, {}, &observation::time).time);
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto wanted = [&](std::string_view name) {
        return argc == 1 ||
               std::any_of(argv + 1, argv + argc, [&](const char* given) { return name == given; });
    };
    if (wanted("fib")) observe("fib", [](auto& r, int) { r.block_on(fib(30)); });
    if (wanted("tiny")) {
        observe("tiny", [](auto& r, int) { r.block_on(producer(20'000, nanoseconds(1000))); });
    }
    if (wanted("large")) {
        observe("large",
                [](auto& r, int w) { r.block_on(producer(4 * w, std::chrono::milliseconds(1))); });
    }
    if (wanted("burst")) observe("burst", [](auto& r, int w) { r.block_on(bursts(20, 4 * w)); });
}
