// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The depot of free blocks that all threads share: it takes and gives whole magazines, so that a
// frame freed on another thread than it was made on costs no more than one freed at home.
//
// Protocol: frame depot                       checked by: tests/stress/frame_stress_test.cpp, TSan
// Fields     stacks, loose blocks, slabs, links of the caches, counts → mutex
//            a magazine → the thread that has it, or the mutex
//            a cache's tops → written by their thread, read by live_blocks
// Invariants I1 a spare is full, empty or none · I2 one of filled_ has a block · I3 what lies in a
//               magazine below its first block is odd
// Edges      D1 the depot's mutex: what a thread wrote to a block, and to the magazine, before it
//               gave that is visible to the one that takes it
//            D2 counts are statistics to others: exact only once the writers have been joined
// Races      Who trims has the magazines for himself: who comes meanwhile cuts fresh blocks.
// Shutdown   a thread's magazines go to the depot when it ends; frees after that go there one by
//            one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "task/block_slabs.hpp"
#include "task/magazine.hpp"
#include "weft/model/environment.hpp"
#include "weft/task/frame_pool.hpp"

namespace weft::detail {

inline constexpr std::size_t frame_classes = largest_pooled_frame / frame_granule;

constexpr std::size_t bytes_of_class(std::size_t index) { return (index + 1) * frame_granule; }

/// What a thread keeps for itself: of each size the magazine that it takes from and frees to, and
/// another one, either full or empty, so that it does not go to the depot at every turn.
struct thread_cache {
    class place {
    public:
        [[nodiscard]] magazine_top get() const noexcept {
            return top_.load(std::memory_order_relaxed);  // D2: own word
        }
        void set(magazine_top top) noexcept {
            top_.store(top, std::memory_order_relaxed);  // D2: own word
        }

    private:
        real_environment::atomic<magazine_top> top_{top_of_none};
    };

    std::array<place, frame_classes> tops{};
    std::array<place, frame_classes> spares{};
    bool is_known = false;
    bool ended = false;
    // The depot's list of the caches that count.
    thread_cache* previous = nullptr;
    thread_cache* next = nullptr;

    /// Blocks. Any thread, D2.
    [[nodiscard]] std::int64_t count() const noexcept;
};

class frame_depot {
public:
    /// A magazine with a block at least, for an empty one or top_of_none. Throws std::bad_alloc,
    /// and has taken nothing then.
    [[nodiscard]] magazine_top exchange_empty(std::size_t index, magazine_top empty);
    /// An empty magazine for a full one or top_of_none. Null, and nothing was taken: no memory.
    [[nodiscard]] magazine_top exchange_full(std::size_t index, magazine_top full) noexcept;
    /// One block, for a thread without magazines. Throws std::bad_alloc.
    [[nodiscard]] void* take_one(std::size_t index);
    void give_one(std::size_t index, void* block) noexcept;
    void enter(thread_cache& cache) noexcept;
    void leave(thread_cache& cache) noexcept;
    void keep_only(thread_cache& cache) noexcept;
    [[nodiscard]] std::int64_t live() noexcept;
    /// Gives the pages that lie in free blocks of the depot back to the system; returns their
    /// bytes. Meanwhile those blocks are not to be had.
    std::size_t trim() noexcept;
    [[nodiscard]] pool_use use() const noexcept {
        return {changes_.load(std::memory_order_relaxed),    // D2
                returned_.load(std::memory_order_relaxed)};  // D2
    }
    void hold() {
        trimming_.lock();
        mutex_.lock();
    }
    void release() {
        mutex_.unlock();
        trimming_.unlock();
    }
    /// Blocks that come from no magazine.
    void count_unpooled(std::int64_t change) noexcept {
        unpooled_.fetch_add(change, std::memory_order_relaxed);  // D2
    }

private:
    struct loose_block {
        loose_block* next;
    };

    using stacks = std::array<magazine*, frame_classes>;

    template <class T>
    static void add(real_environment::atomic<T>& to, T more) noexcept {
        to.store(to.load(std::memory_order_relaxed) + more,  // D2: with the mutex
                 std::memory_order_relaxed);                 // D2
    }
    void give(std::size_t index, magazine_top top) noexcept;
    void merge(std::size_t index, magazine_top top) noexcept;
    void fill(std::size_t index, magazine& empty);

    std::mutex trimming_;  // one trims at a time; taken before the mutex
    std::mutex mutex_;
    stacks filled_{};  // each with a block at least
    magazine* empty_ = nullptr;
    std::array<loose_block*, frame_classes> loose_{};
    block_slabs slabs_;
    thread_cache* caches_ = nullptr;
    std::int64_t cut_ = 0;                                // blocks ever cut
    std::int64_t held_ = 0;                               // blocks here, or with who trims
    real_environment::atomic<std::uint64_t> changes_{0};  // written with the mutex
    real_environment::atomic<std::size_t> returned_{0};   // the same
    real_environment::atomic<std::int64_t> unpooled_{0};
};

/// Outlives every thread, static destructors included.
[[nodiscard]] frame_depot& depot();

}  // namespace weft::detail
