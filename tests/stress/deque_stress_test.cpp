// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Owner and thieves on real cores: every item is taken exactly once, and what its producer wrote
// into it before the push is seen by whoever takes it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/queue/work_deque.hpp"

namespace {

using weft::detail::real_environment;
using weft::detail::steal_outcome;

struct job {
    std::uint64_t payload = 0;  // plain: a missing edge is a race that TSan reports
    std::uint32_t taken = 0;    // plain: written by the one who takes it
};
using deque_type = weft::detail::work_deque<real_environment, job>;

struct tally {
    std::uint64_t items = 0;
    std::uint64_t sum = 0;
    void take(job& item) {
        ++item.taken;
        ++items;
        sum += item.payload;
    }
};

struct bench_of_jobs {
    explicit bench_of_jobs(std::size_t count) : jobs(count) {}
    std::vector<job> jobs;
    std::atomic<bool> finished{false};

    void verify(const std::vector<tally>& tallies) const {
        std::uint64_t items = 0;
        std::uint64_t sum = 0;
        std::uint64_t expected = 0;
        std::size_t wrong = 0;
        for (const tally& each : tallies) {
            items += each.items;
            sum += each.sum;
        }
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            expected += i + 1;
            wrong += jobs[i].taken != 1 ? 1U : 0U;
        }
        CHECK(wrong == 0);
        CHECK(items == jobs.size());
        CHECK(sum == expected);
    }
};

/// Runs `produce` on this thread and two thieves that call `steal` until it is over.
template <class Produce, class Steal>
std::vector<tally> with_thieves(bench_of_jobs& work, Produce produce, Steal steal) {
    constexpr std::size_t thieves = 2;
    std::vector<tally> tallies(thieves + 1);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < thieves; ++i) {
        threads.emplace_back([&, i] {
            // One more round after the end was seen: what is left then is the producer's.
            while (!work.finished.load(std::memory_order_acquire)) steal(i, tallies[i]);
        });
    }
    produce(tallies[thieves]);
    work.finished.store(true, std::memory_order_release);
    for (std::thread& thread : threads) thread.join();
    return tallies;
}

}  // namespace

TEST_CASE("stress: a lifo deque gives each item to one taker", "[stress][deque]") {
    real_environment::initialise();
    bench_of_jobs work(weft::test::stress_iterations(400'000));
    deque_type deque(2);
    auto owner = deque.owner();
    std::mt19937_64 random(weft::test::seed());
    auto tallies = with_thieves(
        work,
        [&](tally& mine) {
            for (std::size_t i = 0; i < work.jobs.size(); ++i) {
                work.jobs[i].payload = i + 1;
                owner.push(&work.jobs[i]);
                // Bursts: backlogs for the thieves, and often one or two items, where pop and
                // steal meet.
                if (random() % 8 != 0) continue;
                for (std::uint64_t pops = random() % 16; pops > 0; --pops) {
                    if (job* item = owner.pop()) mine.take(*item);
                }
            }
            while (job* item = owner.pop()) mine.take(*item);
        },
        [&](std::size_t, tally& mine) {
            if (auto got = deque.thief().steal()) mine.take(*got.item);
        });
    work.verify(tallies);
}

TEST_CASE("stress: a fifo deque gives each item to one taker, batches too", "[stress][deque]") {
    real_environment::initialise();
    bench_of_jobs work(weft::test::stress_iterations(400'000));
    deque_type deque(2);
    auto owner = deque.owner();
    std::vector<std::unique_ptr<deque_type>> own;
    std::vector<deque_type::owner_handle> ends;
    for (int i = 0; i < 2; ++i) {
        own.push_back(std::make_unique<deque_type>(2));
        ends.push_back(own.back()->owner());
    }
    std::mt19937_64 random(weft::test::seed());
    auto tallies = with_thieves(
        work,
        [&](tally& mine) {
            for (std::size_t i = 0; i < work.jobs.size(); ++i) {
                work.jobs[i].payload = i + 1;
                owner.push(&work.jobs[i]);
                for (std::uint64_t takes = random() % 3; takes > 0; --takes) {
                    if (job* item = owner.take_front()) mine.take(*item);
                }
            }
            while (job* item = owner.take_front()) mine.take(*item);
        },
        [&](std::size_t thief, tally& mine) {
            auto got = thief == 0 ? deque.thief().steal_fifo() : deque.thief().steal_half(ends[1]);
            std::uint64_t last = 0;
            for (job* item = got.item; item != nullptr; item = ends[thief].take_front()) {
                mine.take(*item);
                if (item->payload <= last) mine.sum = 0;  // order within a batch: fails the sum
                last = item->payload;
            }
        });
    work.verify(tallies);
}

TEST_CASE("stress: the last item goes to the owner or to one thief", "[stress][deque]") {
    real_environment::initialise();
    bench_of_jobs work(weft::test::stress_iterations(300'000));
    deque_type deque(2);
    auto owner = deque.owner();
    auto tallies = with_thieves(
        work,
        [&](tally& mine) {
            for (std::size_t i = 0; i < work.jobs.size(); ++i) {
                work.jobs[i].payload = i + 1;
                owner.push(&work.jobs[i]);
                if (job* item = owner.pop()) mine.take(*item);
            }
        },
        [&](std::size_t, tally& mine) {
            if (auto got = deque.thief().steal()) mine.take(*got.item);
        });
    work.verify(tallies);
    CHECK(deque.is_empty());
}
