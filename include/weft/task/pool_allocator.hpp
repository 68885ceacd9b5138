// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The memory of coroutine frames for containers: for the short-lived vectors that a coroutine
// builds at every call, such as the children of a when_all.
#pragma once

#include <cstddef>
#include <limits>
#include <new>

#include "weft/task/frame_pool.hpp"

namespace weft {

/// A stateless allocator on the per-thread pool that frames come from: up to 4 KiB cost a few
/// nanoseconds, also when another thread frees them; more comes from operator new. Throws
/// std::bad_alloc. Any thread.
template <class T>
class pool_allocator {
    static_assert(alignof(T) <= 16, "the pool aligns to 16 bytes");

public:
    using value_type = T;

    pool_allocator() noexcept = default;
    template <class U>
    pool_allocator(const pool_allocator<U>& /*other*/) noexcept {}

    [[nodiscard]] T* allocate(std::size_t count) {
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
        return static_cast<T*>(detail::allocate_block(bytes_of(count)));
    }
    void deallocate(T* block, std::size_t count) noexcept {
        detail::free_block(block, bytes_of(count));
    }
    template <class U>
    bool operator==(const pool_allocator<U>& /*other*/) const noexcept {
        return true;
    }

private:
    [[nodiscard]] static std::size_t bytes_of(std::size_t count) noexcept {
        return count == 0 ? 1 : count * sizeof(T);
    }
};

/// Gives memory of the pool in which no frame, task or value lies back to the system, page by page;
/// returns how many bytes. What each thread keeps for itself stays: a hundred blocks of each size
/// at most. A runtime does the same by itself once blocks worth a megabyte have come back and no
/// thread has given or taken any for a second; not beside a single worker if
/// runtime_options::slow_run is zero, because nobody watches there. Any thread; takes about 100 ns
/// for each free block.
std::size_t trim_pool() noexcept;

}  // namespace weft
