// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A magazine: the addresses of some free blocks of one size, outside of the blocks themselves, so
// that taking one touches nothing that lies in no cache, and those that come next can be fetched
// ahead (the name, and two of them for each thread: Bonwick and Adams, Magazines and Vmem, USENIX
// 2001). Not shared.
//
// It has 512 bytes at a multiple of 512, and the pointer to its topmost address stands for all of
// it: what lies there is odd if no block is left, and where 512 bytes end there is no more room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr std::size_t magazine_bytes = 512;
inline constexpr std::ptrdiff_t fetch_distance = 4;  // blocks

/// What stands where no block does: odd, and always worth to be fetched.
struct alignas(64) no_block_place {
    std::byte bytes[2];
};
inline constinit no_block_place no_block_at{};
inline constexpr std::byte* no_block = no_block_at.bytes + 1;

using magazine_top = std::byte**;

struct alignas(magazine_bytes) magazine {
    static constexpr std::size_t places = magazine_bytes / sizeof(std::byte*) - 2;
    static constexpr std::size_t below = fetch_distance;     // no blocks, but fetched ahead
    static constexpr std::size_t capacity = places - below;  // blocks

    magazine* next = nullptr;    // in the depot
    magazine_top top = nullptr;  // the same: in the hands of a thread that thread knows it
    std::byte* at[places];

    constexpr magazine() noexcept {
        for (std::byte*& place : at) place = no_block;
    }
    [[nodiscard]] constexpr magazine_top bottom() noexcept { return at + below - 1; }
};
static_assert(sizeof(magazine) == magazine_bytes);

/// Stands for a thread's first one of each size: both empty and full.
inline constinit magazine no_magazine;
inline constexpr magazine_top top_of_none = no_magazine.at + magazine::places - 1;

[[nodiscard]] inline bool is_empty(magazine_top top) noexcept {
    return (reinterpret_cast<std::uintptr_t>(*top) & 1) != 0;
}
[[nodiscard]] inline bool is_full(magazine_top top) noexcept {
    return reinterpret_cast<std::uintptr_t>(top + 1) % magazine_bytes == 0;
}
[[nodiscard]] inline magazine& magazine_of(magazine_top top) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(top) & ~(magazine_bytes - 1);
    return *reinterpret_cast<magazine*>(address);
}
/// In blocks. Reads nothing but the pointer.
[[nodiscard]] inline std::int64_t count_of(magazine_top top) noexcept {
    return top == top_of_none ? 0 : top - magazine_of(top).bottom();
}
/// There is room.
inline void push(magazine_top& top, std::byte* block) noexcept { *++top = block; }

/// Those that go first.
inline void fetch_blocks(magazine_top top) noexcept {
    for (std::ptrdiff_t i = 0; i <= fetch_distance; ++i) __builtin_prefetch(top[-i], 1);
}
inline void fetch_addresses(const magazine& of) noexcept {
    const auto* lines = reinterpret_cast<const std::byte*>(&of);
    for (std::size_t at = 0; at < magazine_bytes; at += 64) __builtin_prefetch(lines + at, 1);
}

}  // namespace weft::detail
