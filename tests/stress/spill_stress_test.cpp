// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Threads push and pop the list that takes what no queue has memory for: each runnable comes out
// once, and in the order of the pushes.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "sched/spill_list.hpp"
#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/task/runnable.hpp"

using namespace weft::detail;

TEST_CASE("stress: the spill list gives each runnable once and in order", "[stress][spill]") {
    constexpr std::size_t pushers = 2;
    constexpr std::size_t poppers = 2;
    const std::size_t each = weft::test::stress_iterations(20'000);
    static constexpr runnable_ops nothing{nullptr, nullptr, nullptr};
    spill_list<real_environment, runnable> list;
    std::vector<std::deque<runnable>> all(pushers);
    for (auto& mine : all) {
        for (std::size_t i = 0; i < each; ++i) mine.emplace_back(nothing, nullptr, nullptr);
    }
    std::atomic<std::size_t> left{pushers * each};
    std::atomic<std::size_t> taken_twice{0};
    std::vector<std::thread> threads;
    for (auto& mine : all) {
        threads.emplace_back([&list, &mine] {
            for (runnable& ready : mine) list.push(ready);
        });
    }
    for (std::size_t p = 0; p < poppers; ++p) {
        threads.emplace_back([&] {
            while (left.load() != 0) {
                runnable* found = list.pop();
                if (found == nullptr) continue;
                taken_twice.fetch_add(found->runs);
                ++found->runs;
                left.fetch_sub(1);
            }
        });
    }
    for (std::thread& one : threads) one.join();
    CHECK(taken_twice.load() == 0);
    CHECK(list.pop() == nullptr);
    for (auto& mine : all) {
        for (runnable& ready : mine) list.push(ready);
    }
    for (auto& mine : all) {
        CHECK(std::ranges::all_of(mine, [&](runnable& next) { return list.pop() == &next; }));
    }
}
