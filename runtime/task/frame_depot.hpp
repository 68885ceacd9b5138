// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The depot of free blocks that all threads share: it takes and gives whole batches, so that a
// frame freed on another thread than it was made on costs no more than one freed at home.
//
// Protocol: frame depot                       checked by: tests/stress/frame_stress_test.cpp, TSan
// Fields     stacks, slabs, links of the caches, counts → mutex
//            a cache's lists, limit → its thread
//            counts of the lists → written by their thread, read by live_blocks
// Edges      D1 the depot's mutex: what a thread wrote to a block before it gave the batch is
//               visible to the one that takes it
//            D2 counts are statistics to others: exact only once the writers have been joined
// Shutdown   a thread's lists go to the depot when it ends; frees after that go there one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "task/block_slabs.hpp"
#include "weft/model/environment.hpp"
#include "weft/task/frame_pool.hpp"

namespace weft::detail {

// A list that is taken from faster than memory answers has to be fetched several blocks ahead, and
// a link leads to the next one only. So a batch that leaves for the depot, warm as it is, gets
// links that skip some (jump pointers: Luk and Mowry, ASPLOS 1996).
struct free_node {
    free_node* next;
    // A block that will be wanted soon, or in the first node of a batch in the depot: the next
    // batch.
    free_node* ahead;
};

inline constexpr std::size_t frame_classes = largest_pooled_frame / frame_granule;
inline constexpr std::uint32_t batch_blocks = 32;
inline constexpr std::uint32_t fetch_distance = 4;  // blocks

constexpr std::size_t bytes_of_class(std::size_t index) { return (index + 1) * frame_granule; }

struct batch {
    free_node* first = nullptr;
    std::uint32_t count = 0;
};

/// Cuts the first batch_blocks blocks, which are there, off a list, and lays their links.
[[nodiscard]] batch cut_batch(batch& from) noexcept;

/// What a thread keeps for itself.
struct thread_cache {
    struct list {
        free_node* first = nullptr;
        real_environment::atomic<std::uint32_t> count{0};

        [[nodiscard]] std::uint32_t size() const noexcept {
            return count.load(std::memory_order_relaxed);  // D2: own word
        }
        void become(batch b) noexcept {
            first = b.first;
            count.store(b.count, std::memory_order_relaxed);  // D2: own word
        }
    };
    std::array<list, frame_classes> lists{};
    // Blocks that a list may hold; 0 before the thread is known, and after.
    std::uint32_t limit = 0;
    bool ended = false;
    // The depot's list of the caches that count.
    thread_cache* previous = nullptr;
    thread_cache* next = nullptr;
};

class frame_depot {
public:
    /// One batch of up to batch_blocks blocks. Throws std::bad_alloc.
    [[nodiscard]] batch take(std::size_t index);
    /// A whole batch has batch_blocks blocks.
    void give_whole(std::size_t index, free_node* first) noexcept;
    void give_rest(std::size_t index, free_node* first) noexcept;
    void enter(thread_cache& cache) noexcept;
    void leave(thread_cache& cache) noexcept;
    void keep_only(thread_cache& cache) noexcept;
    [[nodiscard]] std::int64_t live() noexcept;
    void hold() { mutex_.lock(); }
    void release() { mutex_.unlock(); }
    /// Blocks that come from no list.
    void count_unpooled(std::int64_t change) noexcept {
        unpooled_.fetch_add(change, std::memory_order_relaxed);  // D2
    }

private:
    // Whole batches and others apart, so that nobody counts a batch by a walk through memory that
    // another processor has just freed.
    struct batch_stacks {
        std::array<free_node*, frame_classes> whole{};
        std::array<free_node*, frame_classes> rests{};
    };

    [[nodiscard]] batch take_free(std::size_t index) noexcept;

    std::mutex mutex_;
    batch_stacks free_;
    block_slabs slabs_;
    thread_cache* caches_ = nullptr;
    std::int64_t cut_ = 0;  // blocks ever cut
    real_environment::atomic<std::int64_t> unpooled_{0};
};

/// Outlives every thread, static destructors included.
[[nodiscard]] frame_depot& depot();

}  // namespace weft::detail
