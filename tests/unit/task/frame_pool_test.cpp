// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/frame_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/seed.hpp"
#include "task/frame_depot.hpp"
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

bool pools() {
    void* const first = allocate_block(32);
    free_block(first, 32);
    void* const again = allocate_block(32);
    free_block(again, 32);
    return first == again;
}

bool has_huge_pages() {
    return std::ifstream{"/sys/kernel/mm/transparent_hugepage/enabled"}.is_open();
}

/// The kernel's words on the mapping that `place` lies in: two letters each.
std::string flags_of(const void* place) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(place);
    std::ifstream maps{"/proc/self/smaps"};
    bool is_inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
            is_inside = begin <= wanted && wanted < end;
        else if (is_inside && line.starts_with("VmFlags:"))
            return line;
    }
    return {};
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

TEST_CASE("blocks keep their contents around the ends of a magazine, in every order of frees") {
    leak_check clean;
    const std::int64_t before = live_blocks();
    constexpr std::size_t size = 176;
    constexpr std::size_t few = magazine::capacity;
    // Of each number that empties or fills one or two magazines, and of those beside it.
    for (std::size_t count : {few - 1, few, few + 1, 2 * few - 1, 2 * few, 2 * few + 1, 5 * few}) {
        for (const bool oldest_first : {false, true}) {
            std::vector<void*> blocks;
            std::set<void*> distinct;
            for (std::size_t i = 0; i < count; ++i) {
                blocks.push_back(allocate_block(size));
                std::memset(blocks.back(), static_cast<int>(i % 251), size);
                distinct.insert(blocks.back());
            }
            REQUIRE(distinct.size() == count);
            REQUIRE(live_blocks() - before == static_cast<std::int64_t>(count));
            for (std::size_t i = 0; i < count; ++i) {
                const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
                REQUIRE(bytes[0] == i % 251);
                REQUIRE(bytes[size - 1] == i % 251);
            }
            for (std::size_t i = 0; i < count; ++i) {
                free_block(blocks[oldest_first ? i : count - 1 - i], size);
                REQUIRE(live_blocks() - before == static_cast<std::int64_t>(count - 1 - i));
            }
        }
    }
}

TEST_CASE("the block that was freed last is taken first, also at the end of a magazine") {
    leak_check clean;
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < 3 * magazine::capacity; ++i) {
        blocks.push_back(allocate_block(48));
        void* const first = allocate_block(48);
        free_block(first, 48);
        void* const again = allocate_block(48);
        if (pools()) CHECK(again == first);  // the newest first, wherever the magazine ends
        free_block(again, 48);
    }
    for (void* block : blocks) free_block(block, 48);
}

TEST_CASE("blocks of threads that end share magazines") {
    leak_check clean;
    if (!pools()) return;
    std::vector<void*> blocks;
    for (int i = 0; i < 300; ++i) blocks.push_back(allocate_block(3008));
    for (void* block : blocks) std::thread{[block] { free_block(block, 3008); }}.join();
    constexpr std::size_t index = (3008 - 1) / frame_granule;
    const magazine_top got = depot().exchange_empty(index, top_of_none);
    CHECK(count_of(got) > 1);  // not a magazine for each thread
    CHECK(depot().exchange_full(index, got) != nullptr);
}

/// Static destructors and thread-local ones of the user's may come after the pool's own.
TEST_CASE("a thread that has given its magazines back takes and frees all the same") {
    leak_check clean;
    struct late {
        std::vector<void*> blocks;
        ~late() {
            for (void* block : blocks) free_block(block, 96);
            for (std::size_t i = 0; i < 3 * magazine::capacity; ++i) {
                blocks[i % blocks.size()] = allocate_block(96);
                free_block(blocks[i % blocks.size()], 96);
            }
        }
    };
    std::thread{[] {
        static thread_local late ends_last;  // made before the pool has seen this thread
        for (int i = 0; i < 200; ++i) ends_last.blocks.push_back(allocate_block(96));
    }}.join();
}

TEST_CASE("a trimmed pool has given its pages back, and its blocks are as good as before") {
    leak_check clean;
    if (!pools()) return;
    constexpr std::size_t size = 512;
    constexpr std::size_t count = 40'000;
    std::vector<void*> kept;
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < count; ++i) {
        void* const block = allocate_block(size);
        std::memset(block, 0x5a, size);
        (i % 1000 == 0 ? kept : blocks).push_back(block);
    }
    const std::size_t full = resident_bytes();
    for (void* block : blocks) free_block(block, size);
    const std::int64_t before = live_blocks();
    const std::size_t given = weft::trim_pool();
    CHECK(given > count * size / 2);
    CHECK(resident_bytes() + count * size / 2 < full);
    CHECK(live_blocks() == before);
    // Otherwise the system would fill them up again to huge pages, within a minute.
    if (has_huge_pages()) CHECK(flags_of(blocks[count / 2]).contains(" nh"));
    for (void* block : kept) {
        const auto* bytes = static_cast<const unsigned char*>(block);
        CHECK(std::all_of(bytes, bytes + size, [](unsigned char b) { return b == 0x5a; }));
    }
    std::set<void*> distinct(kept.begin(), kept.end());
    for (void*& block : blocks) {
        block = allocate_block(size);
        std::memset(block, 0x77, size);
        distinct.insert(block);
    }
    CHECK(distinct.size() == count);
    CHECK(resident_bytes() < full + count * size / 2);  // the same blocks again
    if (has_huge_pages()) CHECK(!flags_of(blocks[count / 2]).contains(" nh"));
    for (void* block : blocks) free_block(block, size);
    for (void* block : kept) free_block(block, size);
}

TEST_CASE("threads that allocate and free while another one trims lose nothing") {
    leak_check clean;
    std::atomic<bool> stop{false};
    std::atomic<bool> whole{true};
    std::thread trims{[&stop] {
        while (!stop) weft::trim_pool();
    }};
    std::vector<std::thread> users;
    for (int t = 0; t < 2; ++t) {
        users.emplace_back([t, &whole] {
            for (int round = 0; round < 60; ++round) {
                std::vector<unsigned*> blocks;
                for (unsigned i = 0; i < 1000; ++i) {
                    blocks.push_back(static_cast<unsigned*>(allocate_block(256)));
                    std::fill_n(blocks.back(), 64, i + static_cast<unsigned>(t));
                }
                for (unsigned i = 0; i < 1000; ++i) {
                    const unsigned wanted = i + static_cast<unsigned>(t);
                    if (std::count(blocks[i], blocks[i] + 64, wanted) != 64) whole = false;
                    free_block(blocks[i], 256);
                }
            }
        });
    }
    for (std::thread& user : users) user.join();
    stop = true;
    trims.join();
    CHECK(whole);
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
