// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Runtimes that come and go, close at random moments, and are fed from outside meanwhile.
#include <atomic>
#include <memory>
#include <random>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> busy(std::atomic<long>& alive, int kind) {
    ++alive;
    scope_exit leaving{[&alive] { --alive; }};
    for (;;) {
        switch (kind) {
            case 0:
                co_await yield();
                break;
            case 1:
                co_await sleep(std::chrono::microseconds{100});
                break;
            case 2:
                co_await create_task(coro_sleep(std::chrono::microseconds{10}));
                break;
            case 3:
                co_await gather(coro_sleep(std::chrono::microseconds{10}), coro_sleep(far));
                break;
            default:
                co_await when_all(coro_sleep(std::chrono::microseconds{10}), coro_sleep(far));
                break;
        }
    }
}

priority random_priority(std::minstd_rand& dice) { return static_cast<priority>(dice() % 3); }

/// A tree whose nodes are tasks and forked children of any priority, which they change now and
/// then.
coro<long> ranked_tree(unsigned depth, std::uint64_t number) {
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(seed() + number)};
    if (dice() % 8 == 0) current_task().set_priority(random_priority(dice));
    if (dice() % 4 == 0) co_await yield();
    if (dice() % 32 == 0) co_await sleep(std::chrono::microseconds{dice() % 50});
    if (depth == 0) co_return 1;
    const task_options options{.priority = random_priority(dice)};
    if (dice() % 2 == 0) {
        auto [a, b] = co_await when_all(ranked_tree(depth - 1, 2 * number),
                                        ranked_tree(depth - 1, 2 * number + 1));
        co_return a + b;
    }
    task<long> a = create_task(ranked_tree(depth - 1, 2 * number), options);
    task<long> b = create_task(ranked_tree(depth - 1, 2 * number + 1));
    const long left = co_await a;
    const long right = co_await b;
    co_return left + right;
}

coro<int> returns(int value) { co_return value; }

coro<> pings(std::atomic<long>& count) {
    ++count;
    co_return;
}

}  // namespace

TEST_CASE("a runtime closes at any moment") {
    on_workers(multi, [](unsigned workers) {
        std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(seed())};
        for (std::size_t i = 0; i < stress_iterations(100); ++i) {
            std::atomic<long> alive{0};
            {
                runtime r{{.workers = workers}};
                for (int kind = 0; kind < 5; ++kind) {
                    for (int n = 0; n < 3; ++n) {
                        r.spawn(busy(alive, kind), {.priority = static_cast<priority>(n)});
                    }
                }
                for (auto n = dice() % 100'000; n > 0; --n) detail::real_environment::relax();
            }
            CHECK(alive == 0);
        }
    });
}

TEST_CASE("many runtimes are created and destroyed") {
    leak_check clean;
    for (std::size_t i = 0; i < stress_iterations(200); ++i) {
        unsigned workers = 1 + static_cast<unsigned>(i % 4);
        CHECK(run(returns(5), {.workers = workers}) == 5);
    }
    for (std::size_t i = 0; i < stress_iterations(200); ++i) {
        runtime unused{{.workers = 1 + static_cast<unsigned>(i % 4)}};
    }
}

TEST_CASE("many runtimes live at once") {
    leak_check clean;
    std::vector<std::unique_ptr<runtime>> all;
    std::atomic<long> count{0};
    for (unsigned i = 0; i < 20; ++i) {
        all.push_back(std::make_unique<runtime>(runtime_options{.workers = 1 + i % 3}));
    }
    std::vector<task<>> tasks;
    for (std::size_t i = 0; i < stress_iterations(2'000); ++i) {
        tasks.push_back(all[i % all.size()]->spawn(pings(count)));
    }
    for (auto& t : tasks) all[0]->block_on(ended(t));
    CHECK(count == static_cast<long>(tasks.size()));
    tasks.clear();
}

TEST_CASE("trees of tasks of all priorities are whole") {
    on_workers(multi, [](unsigned workers) {
        for (std::size_t i = 0; i < stress_iterations(20); ++i) {
            CHECK(run(ranked_tree(10, i + 1), {.workers = workers}) == 1024);
        }
    });
}

TEST_CASE("foreign threads feed workers that keep falling asleep") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<long> count{0};
        std::size_t each = stress_iterations(3'000);
        runtime r{{.workers = workers}};
        std::vector<std::thread> threads;
        for (std::uint64_t i = 0; i < 3; ++i) {
            threads.emplace_back([&r, &count, each, i] {
                std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(seed() + i)};
                for (std::size_t n = 0; n < each; ++n) {
                    task<> t = r.spawn(pings(count), {.priority = random_priority(dice)});
                    // Sometimes wait until the workers have nothing left, so that they park.
                    if (dice() % 16 == 0) {
                        while (!t.done()) std::this_thread::yield();
                    }
                }
            });
        }
        for (std::thread& t : threads) t.join();
        while (count != static_cast<long>(3 * each)) std::this_thread::yield();
    });
}
