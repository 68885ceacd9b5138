// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Measures on two cores what the simulator needs to know: a cache line's way from one core to the
// other, a membarrier and what it takes from the thread that it interrupts, a futex wake-up seen
// from both ends. Prints `name value` lines in nanoseconds, medians. A figure belongs to the
// machine that it was taken on; simulate.py keeps its own table and reads this one with --costs.
#include "weft/model/environment.hpp"
#include "weft/park/parker.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

using weft::detail::parker;
using env = weft::detail::real_environment;
using clock_type = std::chrono::steady_clock;

std::int64_t since(clock_type::time_point start) {
    return std::chrono::nanoseconds(clock_type::now() - start).count();
}

void pin(int core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

double median(std::vector<double> values) {
    std::ranges::nth_element(values, values.begin() + static_cast<long>(values.size() / 2));
    return values[values.size() / 2];
}

template <class Body>
double each(int rounds, int per_round, Body body) {
    std::vector<double> taken;
    for (int r = 0; r < rounds; ++r) {
        const auto start = clock_type::now();
        for (int i = 0; i < per_round; ++i) body();
        taken.push_back(static_cast<double>(since(start)) / per_round);
    }
    return median(taken);
}

void report(const char* name, double value) { std::printf("%-24s %.1f\n", name, value); }

struct alignas(64) line {
    std::atomic<std::uint64_t> word{0};
};

/// Half a round trip of a word that two cores change in turn.
void measure_transfer() {
    line shared;
    constexpr std::uint64_t turns = 20'000;
    std::jthread other([&] {
        pin(1);
        for (std::uint64_t i = 1; i < 2 * turns * 20; i += 2) {
            while (shared.word.load() != i) env::relax();
            shared.word.fetch_add(1);
        }
    });
    std::uint64_t expected = 0;
    report("transfer", each(20, turns, [&] {
                           shared.word.fetch_add(1);
                           expected += 2;
                           while (shared.word.load() != expected) env::relax();
                       }) / 2);
}

void measure_fences() {
    line own;
    report("local_rmw", each(20, 100'000, [&] { own.word.fetch_add(1); }));
    report("seq_cst_fence", each(20, 100'000, [&] {
               own.word.store(1, std::memory_order_relaxed);
               std::atomic_thread_fence(std::memory_order_seq_cst);
           }));
    report("clock_read", each(20, 100'000, [] { static_cast<void>(clock_type::now()); }));
    report("membarrier_alone", each(20, 2'000, [] { env::heavy_fence(); }));
}

/// With a peer that runs: what the caller waits, and what the peer loses. A machine that others use
/// takes the peer's core away now and then: calls that met no running peer do not count.
void measure_membarrier() {
    line stop;
    line seen;  // when the peer last ran
    std::vector<double> gaps;
    const auto origin = clock_type::now();
    std::jthread peer([&] {
        pin(1);
        std::int64_t before = since(origin);
        while (stop.word.load(std::memory_order_relaxed) == 0) {
            const std::int64_t now = since(origin);
            if (now - before > 250 && now - before < 60'000) {
                gaps.push_back(static_cast<double>(now - before));
            }
            seen.word.store(static_cast<std::uint64_t>(now), std::memory_order_relaxed);
            before = now;
        }
    });
    std::vector<double> calls;
    while (since(origin) < 2'000'000'000) {
        const std::int64_t rest = since(origin);
        while (since(origin) - rest < 20'000) env::relax();
        const std::int64_t before = since(origin);
        const auto last = static_cast<std::int64_t>(seen.word.load());
        env::heavy_fence();
        if (before - last < 1500) calls.push_back(static_cast<double>(since(origin) - before));
    }
    stop.word = 1;
    peer.join();
    if (calls.empty() || gaps.empty()) return;
    report("membarrier_one_peer", median(calls));
    report("ipi_taken", median(gaps));
}

/// A sleeper that notes when it runs again. `pause`: how long it has slept.
void measure_wake(const char* waker_name, const char* latency_name, std::int64_t pause) {
    parker<env> there;
    std::atomic<bool> stop{false};
    std::atomic<std::int64_t> woken{0};
    const auto origin = clock_type::now();
    std::jthread sleeper([&] {
        pin(1);
        for (;;) {
            static_cast<void>(there.park_futex(weft::detail::time_point::max()));
            woken.store(since(origin));
            if (stop.load()) return;
        }
    });
    std::vector<double> calls;
    std::vector<double> latencies;
    for (int i = 0; i < 400; ++i) {
        const auto rest = clock_type::now();
        while (since(rest) < pause || !there.is_parked()) env::relax();
        woken.store(0);
        const std::int64_t before = since(origin);
        static_cast<void>(there.unpark());
        calls.push_back(static_cast<double>(since(origin) - before));
        while (woken.load() == 0) env::relax();
        latencies.push_back(static_cast<double>(woken.load() - before));
    }
    stop = true;
    static_cast<void>(there.unpark());
    report(waker_name, median(calls));
    report(latency_name, median(latencies));
}

void measure_epoll() {
    const int poller = epoll_create1(0);
    const int event = eventfd(0, EFD_NONBLOCK);
    epoll_event wanted{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0}};
    epoll_ctl(poller, EPOLL_CTL_ADD, event, &wanted);
    epoll_event got[8];
    report("poll_empty",
           each(20, 5'000, [&] { static_cast<void>(epoll_wait(poller, got, 8, 0)); }));
    const std::uint64_t one = 1;
    report("poll_one_event", each(20, 5'000, [&] {
               static_cast<void>(!write(event, &one, sizeof one));
               static_cast<void>(epoll_wait(poller, got, 8, 0));
           }));
    close(event);
    close(poller);
}

}  // namespace

int main() {
    env::initialise();
    pin(0);
    measure_transfer();
    measure_fences();
    measure_membarrier();
    measure_wake("wake_call_short", "wake_latency_short", 20'000);
    measure_wake("wake_call_long", "wake_latency_long", 3'000'000);
    measure_epoll();
}
