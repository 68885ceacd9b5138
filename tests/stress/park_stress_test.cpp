// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Workers that run the whole idle protocol on real threads while producers publish: a lost wake-up
// is a run that never ends (the test's time limit finds it), a miscount fails the checks at the
// end.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"
#include "weft/queue/work_deque.hpp"

namespace {

using namespace weft::detail;
using env = real_environment;
using deque_type = work_deque<env, std::uint64_t>;

/// One producer's fifo deque each, so that publishing is the deque's plain release store and the
/// protocol's own fences carry the store-load pair.
struct arena {
    arena(std::size_t workers, std::size_t producers) : idle(workers) {
        for (std::size_t w = 0; w < workers; ++w)
            parkers.push_back(std::make_unique<parker<env>>());
        for (std::size_t p = 0; p < producers; ++p) {
            sources.push_back(std::make_unique<deque_type>(64));
        }
    }
    idle_set<env> idle;
    std::vector<std::unique_ptr<parker<env>>> parkers;
    std::vector<std::unique_ptr<deque_type>> sources;
    std::atomic<std::uint64_t> published{0};
    std::atomic<std::uint64_t> consumed{0};
    std::atomic<bool> stopping{false};

    void wake(std::size_t w) { static_cast<void>(parkers[w]->unpark()); }
    void notify() {
        if (auto w = idle.notify_one()) wake(*w);
    }
    std::uint64_t* take() {
        for (auto& source : sources) {
            for (;;) {
                auto got = source->thief().steal_fifo();
                if (got) return got.item;
                if (got.outcome == steal_outcome::empty) break;
            }
        }
        return nullptr;
    }
};

/// The worker's loop as idle_set.hpp prescribes it.
class worker {
public:
    worker(arena& shared, std::size_t index) : shared_(shared), index_(index) {}

    void run() {
        bool searcher = false;
        for (;;) {
            std::uint64_t* item = shared_.take();
            if (item == nullptr && !searcher && shared_.idle.begin_search()) {
                searcher = true;
                item = shared_.take();
            }
            if (item != nullptr) {
                if (searcher && shared_.idle.finish_search_found()) shared_.notify();
                searcher = false;
                consume(item);
                continue;
            }
            if (shared_.stopping.load(std::memory_order_acquire)) {
                if (searcher) static_cast<void>(shared_.idle.finish_search_found());
                return;
            }
            searcher = become_idle(searcher);
        }
    }

private:
    /// Returns whether this worker is a searcher now.
    bool become_idle(bool searching) {
        std::uint64_t* item = nullptr;
        bool stop = false;
        const bool found = shared_.idle.announce_idle(index_, searching, [&] {
            stop = shared_.stopping.load(std::memory_order_acquire);
            item = shared_.take();
            return item != nullptr || stop;
        });
        if (!found) park();
        const bool claimed = shared_.idle.retract_idle(index_) == retract_result::claimed;
        if (claimed) shared_.parkers[index_]->clear_token();
        if (item == nullptr) return claimed;
        if (!claimed || shared_.idle.finish_search_found()) shared_.notify();
        consume(item);
        return false;
    }

    void park() {
        parker<env>& mine = *shared_.parkers[index_];
        if (++parks_ % 16 == 0) {  // some time out, on purpose near to the wake-up
            static_cast<void>(mine.park_futex(env::now() + std::chrono::microseconds(20)));
        } else {
            static_cast<void>(mine.park_futex(time_point::max()));
        }
    }

    void consume(std::uint64_t* item) {
        *item += 1;
        shared_.consumed.fetch_add(1, std::memory_order_release);
    }

    arena& shared_;
    std::size_t index_;
    std::uint64_t parks_ = 0;
};

void run_arena(std::size_t workers, std::size_t producers, std::size_t items, bool one_at_a_time) {
    env::initialise();
    arena shared(workers, producers);
    std::vector<std::vector<std::uint64_t>> data(producers, std::vector<std::uint64_t>(items));
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < workers; ++w) {
        threads.emplace_back([&shared, w] { worker(shared, w).run(); });
    }
    std::vector<std::thread> sources;
    for (std::size_t p = 0; p < producers; ++p) {
        sources.emplace_back([&, p] {
            auto end = shared.sources[p]->owner();
            std::mt19937_64 random(weft::test::seed() + p);
            for (std::size_t i = 0; i < items; ++i) {
                end.push(&data[p][i]);
                shared.notify();
                const auto mine = shared.published.fetch_add(1, std::memory_order_relaxed) + 1;
                // Waiting until as much is consumed sends the workers to sleep in between.
                const bool wait = one_at_a_time || random() % 8 == 0;
                while (wait && shared.consumed.load(std::memory_order_acquire) < mine) {
                    std::this_thread::yield();
                }
            }
        });
    }
    for (std::thread& thread : sources) thread.join();
    while (shared.consumed.load(std::memory_order_acquire) < items * producers) {
        std::this_thread::yield();
    }
    shared.stopping.store(true, std::memory_order_release);
    shared.idle.notify_all([&](std::size_t w) { shared.wake(w); });
    for (std::thread& thread : threads) thread.join();
    CHECK(shared.idle.searching() == 0);
    CHECK(shared.idle.idle_count() == 0);
    std::size_t wrong = 0;
    for (const auto& each : data) {
        for (std::uint64_t count : each) wrong += count != 1 ? 1U : 0U;
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("stress: one producer wakes one worker for each item", "[stress][park]") {
    run_arena(1, 1, weft::test::stress_iterations(20'000), true);
}

TEST_CASE("stress: one producer and three workers lose no wake-up", "[stress][park]") {
    run_arena(3, 1, weft::test::stress_iterations(10'000), true);
}

TEST_CASE("stress: three producers and three workers lose no wake-up", "[stress][park]") {
    run_arena(3, 3, weft::test::stress_iterations(20'000), false);
}

TEST_CASE("stress: two threads pass a token to and fro", "[stress][park]") {
    parker<env> parkers[2];
    const std::size_t rounds = weft::test::stress_iterations(20'000);
    std::uint64_t baton = 0;  // plain: the tokens carry it
    auto play = [&](std::size_t me) {
        for (std::size_t i = 0; i < rounds; ++i) {
            while (parkers[me].park_futex(time_point::max()) != park_result::notified) {
            }
            ++baton;
            static_cast<void>(parkers[1 - me].unpark());
        }
    };
    std::thread other(play, 1);
    static_cast<void>(parkers[0].unpark());
    play(0);
    other.join();
    CHECK(baton == 2 * rounds);
}
