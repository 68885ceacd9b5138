// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Memory of coroutine frames and task control blocks: each thread's magazines of free blocks by
// size class, and behind them a shared depot that takes and gives whole magazines, so that a frame
// freed on another thread than it was made on costs no more than one freed at home.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

// Fact: g++ 12 cannot say that a frame holds an over-aligned object, so every frame of its is
// aligned to 64 bytes; clang calls the aligned operator new (-fcoro-aligned-allocation).
#if defined(__clang__)
inline constexpr std::size_t frame_alignment = 16;
#else
inline constexpr std::size_t frame_alignment = 64;
#endif

inline constexpr std::size_t frame_granule = 16;
inline constexpr std::size_t largest_pooled_frame = 4096;  // ten children: 1.5 KiB in one frame

[[nodiscard]] void* allocate_pooled(std::size_t size_class);
void free_pooled(void* block, std::size_t size_class) noexcept;
[[nodiscard]] void* allocate_unpooled(std::size_t size);
void free_unpooled(void* block, std::size_t size) noexcept;

/// `size` > 0 bytes aligned to at least 16, and to 64 if `size` is a multiple of 64. Any thread.
/// Throws std::bad_alloc.
[[nodiscard]] inline void* allocate_block(std::size_t size) {
    return size <= largest_pooled_frame ? allocate_pooled((size - 1) / frame_granule)
                                        : allocate_unpooled(size);
}
/// Gives back what allocate_block(size) returned. Any thread.
inline void free_block(void* block, std::size_t size) noexcept {
    if (size <= largest_pooled_frame)
        free_pooled(block, (size - 1) / frame_granule);
    else
        free_unpooled(block, size);
}

[[nodiscard]] inline void* allocate_frame(std::size_t size,
                                          std::size_t alignment = frame_alignment) {
    return allocate_block((size + alignment - 1) / alignment * alignment);
}
inline void free_frame(void* block, std::size_t size,
                       std::size_t alignment = frame_alignment) noexcept {
    free_block(block, (size + alignment - 1) / alignment * alignment);
}

/// Blocks handed out and not given back, over all threads. Exact while no thread allocates.
[[nodiscard]] std::int64_t live_blocks() noexcept;

struct pool_use {
    std::uint64_t changes;  ///< differs once threads have exchanged blocks
    std::size_t returned;   ///< bytes that they gave back since the last trim
};
[[nodiscard]] pool_use frame_pool_use() noexcept;

/// Around fork(), so that the child's copy of the pool is whole.
void hold_frame_pool();
void release_frame_pool();
/// In the child, before the release.
void forget_other_threads_pools() noexcept;

}  // namespace weft::detail
