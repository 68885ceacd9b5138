// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that start, end, fail, are awaited and listed from everywhere at once.
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

coro<int> leaf(int value, unsigned kind) {
    if (kind % 4 == 1) co_await yield();
    if (kind % 4 == 2) co_await sleep(std::chrono::microseconds{kind % 50});
    if (kind % 8 == 3) throw std::runtime_error("leaf");
    co_return value;
}

coro<long> tree(std::uint64_t random, int depth) {
    if (depth == 0) co_return 1;
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(random)};
    std::vector<task<long>> below;
    std::size_t width = 1 + dice() % 3;
    for (std::size_t i = 0; i < width; ++i) below.push_back(create_task(tree(dice(), depth - 1)));
    long sum = 1;
    while (!below.empty()) {
        std::size_t pick = dice() % below.size();
        long part = co_await below[pick];
        sum += part;
        below.erase(below.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    co_return sum;
}

long nodes(std::uint64_t random, int depth) {
    if (depth == 0) return 1;
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(random)};
    std::size_t width = 1 + dice() % 3;
    long sum = 1;
    for (std::size_t i = 0; i < width; ++i) sum += nodes(dice(), depth - 1);
    return sum;
}

struct ledger {
    std::atomic<long> values{0};
    std::atomic<long> errors{0};
    std::atomic<long> callbacks{0};
};

coro<> spawns_and_awaits(std::uint64_t random, std::size_t rounds, ledger& book) {
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(random)};
    for (std::size_t i = 0; i < rounds; ++i) {
        task<int> t = create_task(leaf(1, static_cast<unsigned>(dice())));
        if (dice() % 4 == 0) t.add_done_callback([&book](any_task) { ++book.callbacks; });
        try {
            int value = co_await t;
            book.values += value;
        } catch (const std::runtime_error&) {
            ++book.errors;
        }
    }
}

coro<> shares_one_task(std::atomic<long>& sum, task<int> shared) {
    int value = co_await shared;
    sum += value;
}

coro<> many_awaiters(std::size_t rounds) {
    for (std::size_t i = 0; i < rounds; ++i) {
        std::atomic<long> sum{0};
        task<int> shared = create_task(leaf(1, static_cast<unsigned>(i) * 2));
        std::vector<task<>> awaiters;
        for (int n = 0; n < 16; ++n) awaiters.push_back(create_task(shares_one_task(sum, shared)));
        co_await gather(std::move(awaiters));
        CHECK(sum == 16);
    }
}

coro<> lists(std::atomic<bool>& enough, std::atomic<std::size_t>& seen) {
    any_task self = current_task();
    while (!enough) {
        bool found = false;
        for (const any_task& t : all_tasks()) {
            found = found || t == self;
            seen += t.name().size();
            static_cast<void>(t.done());
        }
        if (!found) throw std::logic_error("all_tasks lost the current task");
        co_await yield();
    }
}

/// The awaits keep the only handles. Every third task lives in the `other` runtime.
coro<> awaits_temporaries(runtime& other, std::uint64_t random, std::size_t rounds, ledger& book) {
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(random)};
    for (std::size_t i = 0; i < rounds; ++i) {
        const auto what = static_cast<unsigned>(dice());
        try {
            int value = 0;
            if (i % 3 == 0)
                value = co_await other.spawn(leaf(1, what));
            else
                value = co_await create_task(leaf(1, what));
            book.values += value;
        } catch (const std::runtime_error&) {
            ++book.errors;
        }
    }
}

coro<> fails_silently() {
    throw std::runtime_error("silent");
    co_return;
}

}  // namespace

TEST_CASE("trees of tasks, awaited in random order") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        for (std::size_t i = 0; i < stress_iterations(15); ++i) {
            std::uint64_t root = (seed() + i) % 100'000 + 1;
            CHECK(r.block_on(tree(root, 7)) == nodes(root, 7));
        }
    });
}

TEST_CASE("start, end, fail and call back, while others list all tasks") {
    on_workers(multi, [](unsigned workers) {
        ledger book;
        std::atomic<bool> enough{false};
        std::atomic<std::size_t> seen{0};
        std::size_t rounds = stress_iterations(2'000);
        runtime r{{.workers = workers}};
        task<> lister = r.spawn(lists(enough, seen));
        std::vector<task<>> spawners;
        for (std::uint64_t i = 0; i < 4; ++i) {
            spawners.push_back(r.spawn(spawns_and_awaits(seed() + i, rounds, book)));
        }
        for (task<>& t : spawners) r.block_on(ended(t));
        enough = true;
        r.block_on(ended(lister));
        for (task<>& t : spawners) CHECK(outcome_of(t) == "value");
        CHECK(outcome_of(lister) == "value");
        CHECK(book.values + book.errors == static_cast<long>(4 * rounds));
        CHECK(seen != 0);
    });
}

TEST_CASE("tasks of two runtimes that only their awaiters hold, while others list them") {
    on_workers(multi, [](unsigned workers) {
        ledger book;
        std::atomic<bool> enough{false};
        std::atomic<std::size_t> seen{0};
        const std::size_t rounds = stress_iterations(500);
        runtime here{{.workers = workers}};
        runtime there{{.workers = workers}};
        std::vector<task<>> listers;
        for (runtime* r : {&here, &there}) listers.push_back(r->spawn(lists(enough, seen)));
        std::vector<task<>> awaiters;
        for (std::uint64_t i = 0; i < 2; ++i) {
            awaiters.push_back(here.spawn(awaits_temporaries(there, seed() + i, rounds, book)));
            awaiters.push_back(there.spawn(awaits_temporaries(here, seed() - i, rounds, book)));
        }
        for (task<>& t : awaiters) here.block_on(ended(t));
        enough = true;
        for (task<>& t : listers) here.block_on(ended(t));
        for (task<>& t : awaiters) CHECK(outcome_of(t) == "value");
        for (task<>& t : listers) CHECK(outcome_of(t) == "value");
        CHECK(book.values + book.errors == static_cast<long>(4 * rounds));
        CHECK(seen != 0);
    });
}

TEST_CASE("one task with many awaiters") {
    on_workers(multi, [](unsigned workers) {
        run(many_awaiters(stress_iterations(300)), {.workers = workers});
    });
}

TEST_CASE("every exception that nobody looks at is reported once, whoever drops the handle") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<std::size_t> reports{0};
        std::size_t count = stress_iterations(2'000);
        {
            runtime r{{.workers = workers}};
            r.set_failure_handler([&reports](const failure&) { ++reports; });
            std::vector<std::thread> threads;
            for (int i = 0; i < 2; ++i) {
                threads.emplace_back([&r, count] {
                    std::vector<task<>> kept;
                    for (std::size_t n = 0; n < count; ++n) {
                        task<> t = r.spawn(fails_silently());
                        if (n % 2 == 0) kept.push_back(std::move(t));
                    }
                    for (task<>& t : kept) {
                        while (!t.done()) std::this_thread::yield();
                    }
                });
            }
            for (std::thread& t : threads) t.join();
            while (r.statistics().live_tasks != 0) std::this_thread::yield();
        }
        CHECK(reports == 2 * count);
    });
}
