// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// cancel() against the call: from tasks, from callbacks and from foreign threads, of callbacks that
// are ready, that wait, that are due at that moment, and at the end of the runtime. Each is called
// once or was cancelled, and its callable goes once.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/seed.hpp"
#include "weft/weft.hpp"

namespace {

using namespace weft;
using namespace weft::test;

using dice = std::minstd_rand;

struct tally {
    std::atomic<std::uint64_t> made{0};
    std::atomic<std::uint64_t> called{0};
    std::atomic<std::uint64_t> cancelled{0};
    std::atomic<std::uint64_t> destroyed{0};
    std::atomic<std::uint64_t> wrong{0};
};

/// One callback: its fields are plain, so that ThreadSanitizer sees a call beside a destruction.
class one_call {
public:
    explicit one_call(tally& t) : tally_(&t) { ++t.made; }
    one_call(one_call&& other) noexcept : tally_(std::exchange(other.tally_, nullptr)) {}
    one_call& operator=(one_call&&) = delete;
    ~one_call() {
        if (tally_ != nullptr) ++tally_->destroyed;
    }
    void operator()() {
        if (calls_++ != 0) ++tally_->wrong;
        ++tally_->called;
    }

private:
    tally* tally_;
    int calls_ = 0;
};

/// Where everybody finds handles that others have made.
class exchange {
public:
    timer_handle swap(std::size_t place, timer_handle mine) {
        slot& here = slots_[place % slots_.size()];
        std::lock_guard guard{here.mutex};
        std::swap(here.handle, mine);
        return mine;
    }
    timer_handle copy(std::size_t place) {
        slot& here = slots_[place % slots_.size()];
        std::lock_guard guard{here.mutex};
        return here.handle;
    }

private:
    struct slot {
        std::mutex mutex;
        timer_handle handle;
    };
    std::array<slot, 16> slots_;
};

void cancel_one(tally& t, const timer_handle& handle) {
    if (!handle || handle.cancelled()) return;
    const bool is_cancelled = handle.cancel();
    if (handle.cancelled() != is_cancelled) ++t.wrong;
}

std::chrono::nanoseconds delay_of(unsigned roll) {
    return std::chrono::microseconds{roll % 7 == 0 ? 1'000'000 : roll % 60};
}

/// Schedules and cancels; `make` schedules.
template <class Make>
void deal(tally& t, exchange& all, dice& random, Make make) {
    const auto roll = static_cast<unsigned>(random());
    timer_handle found = all.swap(roll / 7, make(roll));
    if (roll % 3 != 0) cancel_one(t, found);
    if (roll % 5 == 0) cancel_one(t, all.copy(roll / 11));
}

timer_handle schedule_here(tally& t, unsigned roll) {
    if (roll % 2 == 0) return call_soon(one_call{t});
    return call_later(delay_of(roll), one_call{t});
}

coro<> deals_in_a_task(tally& t, exchange& all, unsigned lane, std::size_t rounds) {
    dice random{static_cast<dice::result_type>(seed() + lane) | 1};
    for (std::size_t i = 0; i < rounds; ++i) {
        deal(t, all, random, [&t](unsigned roll) { return schedule_here(t, roll); });
        if (random() % 4 == 0) co_await yield();
        if (random() % 64 == 0) co_await sleep(std::chrono::microseconds{30});
    }
}

/// Callbacks that schedule callbacks.
struct chain {
    tally& t;
    exchange& all;
    dice random;
    std::size_t left;
    std::atomic<bool> over{false};
    void step() {
        deal(t, all, random, [this](unsigned roll) { return schedule_here(t, roll); });
        if (--left == 0)
            over = true;
        else
            call_soon(&chain::step, this);
    }
};

void deal_outside(runtime& r, tally& t, exchange& all, unsigned lane, std::size_t rounds) {
    dice random{static_cast<dice::result_type>(seed() + lane) | 1};
    for (std::size_t i = 0; i < rounds; ++i) {
        deal(t, all, random, [&](unsigned roll) {
            if (roll % 2 == 0) return r.call_soon(one_call{t});
            return r.call_later(delay_of(roll), one_call{t});
        });
    }
}

coro<> until_over(const std::atomic<bool>& over) {
    while (!over) co_await yield();
}

void expect_all_answered(const tally& t) {
    CHECK(t.wrong == 0);
    CHECK(t.destroyed == t.made);
}

}  // namespace

TEST_CASE("cancel races with the call of a callback, from everywhere") {
    on_workers({1, 2, 4}, [](unsigned workers) {
        tally t;
        exchange all;
        const std::size_t rounds = stress_iterations(2'000);
        runtime r{{.workers = workers}};
        chain callbacks{.t = t, .all = all, .random = dice{7}, .left = rounds};
        r.call_soon(&chain::step, &callbacks);
        std::vector<task<>> tasks;
        for (unsigned i = 0; i < 4; ++i)
            tasks.push_back(r.spawn(deals_in_a_task(t, all, i, rounds)));
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 2; ++i) {
            threads.emplace_back([&, i] { deal_outside(r, t, all, 10 + i, rounds); });
        }
        for (std::thread& each : threads) each.join();
        for (const task<>& each : tasks)
            r.block_on([](task<> one) -> coro<> { co_await one; }(each));
        r.block_on(until_over(callbacks.over));
        r.close();
        expect_all_answered(t);
        CHECK(t.made == 7 * rounds);
        CHECK(r.statistics().timers_armed == 0);
    });
}

TEST_CASE("a callback is called or cancelled, whoever is told of it") {
    on_workers({1, 2, 4}, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        const std::size_t rounds = stress_iterations(1'000);
        for (std::size_t i = 0; i < rounds; ++i) {
            const auto before = t.called.load();
            const auto delay = std::chrono::microseconds{i % 40};
            timer_handle handle =
                i % 2 == 0 ? r.call_soon(one_call{t}) : r.call_later(delay, one_call{t});
            std::atomic<int> yes{0};
            std::thread other{[&] { yes += handle.cancel() ? 1 : 0; }};
            yes += handle.cancel() ? 1 : 0;
            other.join();
            if (yes == 1) ++t.wrong;  // both are told the same
            if (yes == 2) {
                ++t.cancelled;
            } else {
                while (t.called == before) std::this_thread::yield();
            }
        }
        r.close();
        expect_all_answered(t);
        CHECK(t.called + t.cancelled == t.made);
    });
}

TEST_CASE("a runtime ends while callbacks are scheduled and cancelled") {
    on_workers({1, 2, 4}, [](unsigned workers) {
        for (std::size_t round = 0; round < stress_iterations(40); ++round) {
            tally t;
            exchange all;
            runtime r{{.workers = workers}};
            std::atomic<bool> begun{false};
            std::thread outside{[&] {
                try {
                    for (unsigned i = 0;; ++i) {
                        deal_outside(r, t, all, i, 8);
                        begun = true;
                    }
                } catch (const runtime_closed&) {
                    begun = true;
                }
            }};
            task<> inside = r.spawn(deals_in_a_task(t, all, 3, 1'000'000'000));
            while (!begun) std::this_thread::yield();
            r.close();
            outside.join();
            for (std::size_t i = 0; i < 16; ++i) cancel_one(t, all.copy(i));
            expect_all_answered(t);
        }
    });
}
