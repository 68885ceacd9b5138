// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all under failures, cancellations and limits in random places.
#include "weft/combine/when_all.hpp"

#include <atomic>
#include <random>
#include <stdexcept>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dice = std::minstd_rand;

struct tally {
    std::atomic<long> entered{0};
    std::atomic<long> left{0};
};

dice::result_type next_seed(dice& d) { return d() | 1; }

/// A tree whose leaves suspend, fail or return at random. `failing` in a thousand fail.
coro<long> random_tree(tally& t, dice::result_type random, int depth, unsigned failing) {
    ++t.entered;
    scope_exit leaving{[&t] { ++t.left; }};
    dice d{random};
    unsigned roll = static_cast<unsigned>(d() % 1000);
    if (roll < failing) throw std::runtime_error("leaf");
    if (roll % 3 == 0) co_await yield();
    if (roll % 17 == 0) co_await sleep(std::chrono::microseconds{roll % 40});
    if (depth == 0) co_return 1;
    if (roll % 2 == 0) {
        auto s1 = next_seed(d);
        auto s2 = next_seed(d);
        auto [a, b] = co_await when_all(random_tree(t, s1, depth - 1, failing),
                                        random_tree(t, s2, depth - 1, failing));
        co_return a + b;
    }
    std::vector<coro<long>> children;
    for (int i = 0; i < 3; ++i) {
        children.push_back(random_tree(t, next_seed(d), depth - 1, failing));
    }
    std::vector<long> parts = co_await when_all(std::move(children));
    co_return parts[0] + parts[1] + parts[2];
}

long nodes(dice::result_type random, int depth) {
    if (depth == 0) return 1;
    dice d{random};
    unsigned roll = static_cast<unsigned>(d() % 1000);
    int width = roll % 2 == 0 ? 2 : 3;
    long sum = 0;
    for (int i = 0; i < width; ++i) sum += nodes(next_seed(d), depth - 1);
    return sum;
}

coro<> failing_trees(tally& t, std::size_t rounds, dice::result_type random) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        try {
            co_await random_tree(t, next_seed(d), 5, 10);
        } catch (const std::runtime_error&) {
        }
    }
}

coro<long> limited_tree(tally& t, dice::result_type random) {
    long sum = 0;
    try {
        sum = co_await with_timeout(std::chrono::microseconds{random % 300},
                                    random_tree(t, random, 5, 0));
    } catch (const timeout_error&) {
    }
    co_return sum;
}

coro<> limited_trees(tally& t, std::size_t rounds, dice::result_type random) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        auto s1 = next_seed(d);
        auto s2 = next_seed(d);
        co_await when_all(limited_tree(t, s1), limited_tree(t, s2));
        if (current_task().cancelling() != 0) throw std::logic_error("a request leaked");
    }
}

coro<> waits_for(std::vector<task<long>>& tasks) {
    for (task<long>& t : tasks) co_await ended(t);
}

}  // namespace

TEST_CASE("random trees give the right sum") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        dice d{static_cast<dice::result_type>(seed()) | 1};
        for (std::size_t i = 0; i < stress_iterations(20); ++i) {
            auto root = next_seed(d);
            CHECK(r.block_on(random_tree(t, root, 7, 0)) == nodes(root, 7));
        }
        CHECK(t.entered == t.left);
    });
}

TEST_CASE("random trees with failures leave no child behind") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        auto random = static_cast<dice::result_type>(seed());
        run(failing_trees(t, stress_iterations(150), random | 1), {.workers = workers});
        CHECK(t.entered == t.left);
    });
}

TEST_CASE("random trees that are cancelled from foreign threads") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        dice d{static_cast<dice::result_type>(seed()) | 1};
        runtime r{{.workers = workers}};
        for (std::size_t i = 0; i < stress_iterations(30); ++i) {
            std::vector<task<long>> trees;
            for (int n = 0; n < 8; ++n)
                trees.push_back(r.spawn(random_tree(t, next_seed(d), 6, 2)));
            std::thread canceller{[&trees, s = next_seed(d)] {
                dice local{s};
                for (task<long>& tree : trees) {
                    for (auto n = local() % 20'000; n > 0; --n) detail::real_environment::relax();
                    tree.cancel();
                    tree.cancel();
                }
            }};
            r.block_on(waits_for(trees));
            canceller.join();
            for (task<long>& tree : trees) {
                if (!tree.cancelled()) static_cast<void>(tree.exception());
            }
        }
        CHECK(t.entered == t.left);
    });
}

TEST_CASE("random trees under limits that expire at any moment") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        auto random = static_cast<dice::result_type>(seed());
        run(limited_trees(t, stress_iterations(200), random | 1), {.workers = workers});
        CHECK(t.entered == t.left);
    });
}
