// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Producers and consumers on real cores: each item comes out once, the items of one producer come
// to one consumer in order, a pop fails only when all is claimed, and threads may come and go.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"
#include "weft/queue/injection_queue.hpp"

namespace {

using namespace weft::detail;
using env = real_environment;

struct parcel {
    std::size_t producer = 0;
    std::size_t number = 0;
    std::uint32_t taken = 0;  // plain: written by the one who takes it
};
using queue_type = injection_queue<parcel>;

std::vector<std::vector<parcel>> parcels(std::size_t producers, std::size_t each) {
    std::vector<std::vector<parcel>> all(producers, std::vector<parcel>(each));
    for (std::size_t p = 0; p < producers; ++p) {
        for (std::size_t i = 0; i < each; ++i) {
            all[p][i].producer = p;
            all[p][i].number = i + 1;
        }
    }
    return all;
}

std::size_t not_taken_once(const std::vector<std::vector<parcel>>& all) {
    std::size_t wrong = 0;
    for (const auto& line : all) {
        for (const parcel& each : line) wrong += each.taken != 1 ? 1U : 0U;
    }
    return wrong;
}

}  // namespace

TEST_CASE("stress: the injection queue gives each item once and in order", "[stress][injection]") {
    constexpr std::size_t workers = 2;
    constexpr std::size_t foreign = 2;
    const std::size_t each = weft::test::stress_iterations(30'000);
    queue_type queue(workers);
    auto all = parcels(workers + foreign, each);
    std::atomic<std::size_t> left{(workers + foreign) * each};
    std::atomic<std::size_t> disorder{0};
    auto consume = [&](std::size_t w, std::vector<std::size_t>& last) {
        for (int i = 0; i < 4; ++i) {
            parcel* const item = queue.try_pop(w);
            if (item == nullptr) return;
            ++item->taken;
            if (item->number <= last[item->producer]) disorder.fetch_add(1);
            last[item->producer] = item->number;
            left.fetch_sub(1, std::memory_order_release);
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < workers; ++w) {
        threads.emplace_back([&, w] {
            std::vector<std::size_t> last(workers + foreign);
            for (parcel& item : all[w]) {
                queue.push(w, item);
                consume(w, last);
            }
            while (left.load(std::memory_order_acquire) != 0) consume(w, last);
        });
    }
    for (std::size_t f = workers; f < workers + foreign; ++f) {
        threads.emplace_back([&, f] {
            for (parcel& item : all[f]) queue.push(item);
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(not_taken_once(all) == 0);
    CHECK(disorder.load() == 0);
    CHECK_FALSE(queue.maybe_nonempty());
}

TEST_CASE("stress: short-lived threads push and go", "[stress][injection]") {
    const std::size_t rounds = weft::test::stress_iterations(300);
    queue_type queue(2);
    auto all = parcels(rounds, 8);
    std::atomic<bool> finished{false};
    std::thread consumer([&] {
        for (;;) {
            const bool last_look = finished.load(std::memory_order_acquire);
            while (parcel* item = queue.try_pop(0)) ++item->taken;
            if (last_look) return;
        }
    });
    for (std::size_t i = 0; i + 1 < rounds; i += 2) {
        std::thread one([&, i] {
            for (parcel& item : all[i]) queue.push(item);
        });
        std::thread two([&, i] {
            for (parcel& item : all[i + 1]) queue.push(item);
        });
        one.join();
        two.join();
    }
    if (rounds % 2 != 0) {
        for (parcel& item : all[rounds - 1]) queue.push(item);
    }
    finished.store(true, std::memory_order_release);
    consumer.join();
    CHECK(not_taken_once(all) == 0);
}

namespace {

/// Workers that sleep when the queue is empty.
struct sleepers {
    static constexpr std::size_t workers = 3;
    queue_type queue{workers};
    idle_set<env> idle{workers};
    parker<env> parkers[workers];
    std::atomic<std::size_t> taken{0};
    std::atomic<bool> stopping{false};

    void notify() {
        if (auto w = idle.notify_one()) static_cast<void>(parkers[*w].unpark());
    }
    void consume(parcel& item) {
        ++item.taken;
        taken.fetch_add(1, std::memory_order_release);
    }
    void work(std::size_t w) {
        bool searcher = false;
        while (!stopping.load(std::memory_order_acquire)) {
            parcel* item = queue.try_pop(w);
            if (item != nullptr) {
                if (searcher && idle.finish_search_found()) notify();
                searcher = false;
                consume(*item);
                continue;
            }
            const bool found = idle.announce_idle(w, searcher, [&] {
                item = queue.try_pop(w);
                return item != nullptr || stopping.load(std::memory_order_acquire);
            });
            if (!found) static_cast<void>(parkers[w].park_futex(time_point::max()));
            searcher = idle.retract_idle(w) == retract_result::claimed;
            if (searcher) parkers[w].clear_token();
            if (item == nullptr) continue;
            if (!searcher || idle.finish_search_found()) notify();
            searcher = false;
            consume(*item);
        }
    }
};

}  // namespace

TEST_CASE("stress: a parked worker misses no injected item", "[stress][injection][park]") {
    env::initialise();
    constexpr std::size_t foreign = 2;
    const std::size_t each = weft::test::stress_iterations(5'000);
    auto all = parcels(foreign, each);
    sleepers shared;
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < sleepers::workers; ++w) {
        threads.emplace_back([&, w] { shared.work(w); });
    }
    std::vector<std::thread> producers;
    for (std::size_t p = 0; p < foreign; ++p) {
        producers.emplace_back([&, p] {
            for (std::size_t i = 0; i < each; ++i) {
                shared.queue.push(all[p][i]);
                shared.notify();
                // Both producers wait for both: all workers go to sleep between the rounds.
                while (shared.taken.load(std::memory_order_acquire) < foreign * i + 1) {
                    std::this_thread::yield();
                }
            }
        });
    }
    for (std::thread& thread : producers) thread.join();
    while (shared.taken.load(std::memory_order_acquire) < foreign * each) {
        std::this_thread::yield();
    }
    shared.stopping.store(true, std::memory_order_release);
    shared.idle.notify_all([&](std::size_t w) { static_cast<void>(shared.parkers[w].unpark()); });
    for (std::thread& thread : threads) thread.join();
    CHECK(not_taken_once(all) == 0);
}
