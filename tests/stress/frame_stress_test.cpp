// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Threads that allocate and free blocks of many sizes by way of the depot: no block is damaged,
// none is handed out twice, and all of them are counted.
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/seed.hpp"
#include "weft/task/frame_pool.hpp"

namespace {

using namespace weft::detail;
using weft::test::stress_iterations;

struct block {
    std::uint64_t* words;
    std::size_t count;
    std::uint64_t mark;
};

block make(std::size_t count, std::uint64_t mark) {
    auto* words = static_cast<std::uint64_t*>(allocate_block(count * sizeof(std::uint64_t)));
    for (std::size_t i = 0; i < count; ++i) words[i] = mark;
    return {words, count, mark};
}

/// How many of its words were changed.
std::size_t unmake(block b) {
    std::size_t damaged = 0;
    for (std::size_t i = 0; i < b.count; ++i) damaged += b.words[i] != b.mark;
    free_block(b.words, b.count * sizeof(std::uint64_t));
    return damaged;
}

/// Grows and shrinks, so that batches go to the depot and come back.
std::size_t breathe(std::uint64_t thread, std::uint64_t seed, std::size_t rounds) {
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(seed + thread)};
    std::vector<block> held;
    std::uint64_t made = 0;
    std::size_t damaged = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        const std::size_t most = 200 + dice() % 4000;
        while (held.size() < most) held.push_back(make(2 + dice() % 120, thread << 48 | ++made));
        const std::size_t least = dice() % 50;
        while (held.size() > least) {
            std::swap(held[dice() % held.size()], held.back());
            damaged += unmake(held.back());
            held.pop_back();
        }
    }
    for (block b : held) damaged += unmake(b);
    return damaged;
}

}  // namespace

TEST_CASE("blocks of several threads", "[stress]") {
    weft::test::leak_check clean;
    const std::uint64_t seed = weft::test::seed();
    const std::size_t rounds = stress_iterations(60);
    std::atomic<std::size_t> damaged{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] { damaged += breathe(i, seed, rounds); });
    }
    for (std::thread& t : threads) t.join();
    CHECK(damaged == 0);
}
