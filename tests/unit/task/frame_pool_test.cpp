// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/frame_pool.hpp"

#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/seed.hpp"
#include "weft/task/pool_allocator.hpp"

using namespace weft::detail;
using namespace weft::test;

namespace {

struct block {
    void* memory;
    std::size_t size;
};

block allocate_filled(std::size_t size) {
    void* memory = allocate_block(size);
    std::memset(memory, 0xa5, size);
    return {memory, size};
}

}  // namespace

TEST_CASE("blocks of every size are aligned, distinct and counted") {
    leak_check clean;
    std::int64_t before = live_blocks();
    std::vector<block> blocks;
    std::set<void*> distinct;
    for (std::size_t size = 8; size <= 4400; size += 8) {
        blocks.push_back(allocate_filled(size));
        auto address = reinterpret_cast<std::uintptr_t>(blocks.back().memory);
        CHECK(address % (size % 64 == 0 ? 64 : 16) == 0);
        distinct.insert(blocks.back().memory);
    }
    CHECK(distinct.size() == blocks.size());
    CHECK(live_blocks() - before == static_cast<std::int64_t>(blocks.size()));
    for (block b : blocks) free_block(b.memory, b.size);
    CHECK(live_blocks() == before);
}

TEST_CASE("frames are multiples of their alignment") {
    leak_check clean;
    for (std::size_t size : {1u, 63u, 64u, 65u, 1000u, 4096u, 5000u}) {
        void* frame = allocate_frame(size, 64);
        CHECK(reinterpret_cast<std::uintptr_t>(frame) % 64 == 0);
        free_frame(frame, size, 64);
    }
}

TEST_CASE("blocks that are freed on another thread come back, also after that thread ended") {
    leak_check clean;
    std::minstd_rand dice{static_cast<std::minstd_rand::result_type>(seed())};
    for (int round = 0; round < 20; ++round) {
        std::vector<block> blocks;
        for (int i = 0; i < 500; ++i) blocks.push_back(allocate_filled(16 + dice() % 1100));
        std::thread{[&blocks] {
            for (block b : blocks) free_block(b.memory, b.size);
            blocks.clear();
            for (int i = 0; i < 100; ++i) blocks.push_back(allocate_filled(200));
        }}.join();
        for (block b : blocks) free_block(b.memory, b.size);
    }
}

TEST_CASE("a container may take its memory from the pool") {
    leak_check clean;
    std::int64_t before = live_blocks();
    {
        std::vector<int, weft::pool_allocator<int>> numbers;
        for (int i = 0; i < 5000; ++i) numbers.push_back(i);  // past what the pool holds
        CHECK(numbers[4999] == 4999);
        CHECK(live_blocks() == before + 1);
        auto moved = std::move(numbers);
        CHECK(live_blocks() == before + 1);
    }
    CHECK(live_blocks() == before);
    CHECK_THROWS_AS(weft::pool_allocator<int>().allocate(~std::size_t{0} / 2), std::bad_alloc);
}
