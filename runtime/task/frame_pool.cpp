// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Per-thread magazines before the depot (frame_depot.hpp). A thread has two of a size: the one that
// is in use, and a spare one, full or empty, that takes its place when it is empty or full. Only
// where both are, the depot gives a full one for an empty one, or the other way round, in one lock.

#include "weft/task/frame_pool.hpp"

#include <new>

#include "task/frame_depot.hpp"
#include "weft/task/pool_allocator.hpp"

namespace weft::detail {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;  // so that the sanitizer sees a freed frame as freed
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool pooling = false;
#else
constexpr bool pooling = true;
#endif
#else
constexpr bool pooling = true;
#endif

constexpr std::align_val_t alignment_of(std::size_t size) {
    return std::align_val_t{size % 64 == 0 ? 64u : frame_granule};
}

// Trivially destructible, so that reading it needs no guard; `cache_guard` empties it at the end.
constinit thread_local thread_cache cache;

struct cache_guard {
    cache_guard() {
        depot().enter(cache);
        cache.is_known = true;
    }
    cache_guard(const cache_guard&) = delete;
    cache_guard& operator=(const cache_guard&) = delete;
    ~cache_guard() {
        cache.ended = true;
        depot().leave(cache);
    }
};

/// False once the thread's magazines are gone.
bool is_open() {
    if (!cache.is_known) {
        static thread_local cache_guard guard;
        static_cast<void>(guard);
    }
    return !cache.ended;
}

[[gnu::noinline]] void* allocate_slowly(std::size_t index) {
    if (!pooling) return allocate_unpooled(bytes_of_class(index));
    if (!is_open()) return depot().take_one(index);
    thread_cache& mine = cache;
    auto& spare = mine.spares[index];
    const magazine_top empty = mine.tops[index].get();
    magazine_top filled = spare.get();
    if (is_empty(filled)) filled = depot().exchange_empty(index, filled);
    fetch_blocks(filled);
    spare.set(empty);
    mine.tops[index].set(filled - 1);
    return *filled;
}

[[gnu::noinline]] void free_slowly(void* block, std::size_t index) noexcept {
    if (!pooling) return free_unpooled(block, bytes_of_class(index));
    if (!is_open()) return depot().give_one(index, block);
    thread_cache& mine = cache;
    auto& spare = mine.spares[index];
    const magazine_top full = mine.tops[index].get();
    magazine_top empty = spare.get();
    if (is_full(empty)) {
        empty = depot().exchange_full(index, empty);
        if (empty == nullptr) return depot().give_one(index, block);
    }
    spare.set(full);
    push(empty, static_cast<std::byte*>(block));
    mine.tops[index].set(empty);
}

}  // namespace

// Not inlined, not even across objects: a coroutine must not keep the address of this thread's
// cache over a suspension, after which it may run on another thread.
[[gnu::noinline]] void* allocate_pooled(std::size_t size_class) {
    auto& mine = cache.tops[size_class];
    const magazine_top top = mine.get();
    if (is_empty(top)) [[unlikely]]  // without pooling it always is
        return allocate_slowly(size_class);
    __builtin_prefetch(top[-fetch_distance], 1);
    mine.set(top - 1);
    return *top;
}

[[gnu::noinline]] void free_pooled(void* block, std::size_t size_class) noexcept {
    auto& mine = cache.tops[size_class];
    const magazine_top top = mine.get();
    if (is_full(top)) [[unlikely]]  // without pooling it always is
        return free_slowly(block, size_class);
    top[1] = static_cast<std::byte*>(block);
    mine.set(top + 1);
}

void* allocate_unpooled(std::size_t size) {
    void* block = ::operator new(size, alignment_of(size));
    depot().count_unpooled(1);
    return block;
}

void free_unpooled(void* block, std::size_t size) noexcept {
    ::operator delete(block, size, alignment_of(size));
    depot().count_unpooled(-1);
}

std::int64_t live_blocks() noexcept { return depot().live(); }

pool_use frame_pool_use() noexcept { return depot().use(); }

void hold_frame_pool() { depot().hold(); }

void release_frame_pool() { depot().release(); }

void forget_other_threads_pools() noexcept { depot().keep_only(cache); }

}  // namespace weft::detail

std::size_t weft::trim_pool() noexcept { return detail::depot().trim(); }
