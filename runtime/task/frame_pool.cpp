// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Per-thread free lists before the depot (frame_depot.hpp). A thread's list holds at most two
// batches of a class; the second one goes to the depot in one lock, and an empty list takes one
// back in one lock.

#include "weft/task/frame_pool.hpp"

#include <new>

#include "task/frame_depot.hpp"

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
        cache.limit = 2 * batch_blocks;
    }
    cache_guard(const cache_guard&) = delete;
    cache_guard& operator=(const cache_guard&) = delete;
    ~cache_guard() {
        cache.ended = true;
        cache.limit = 0;
        depot().leave(cache);
    }
};

/// False once the thread's caches are gone.
bool is_known(const thread_cache& mine) {
    if (mine.limit == 0 && !mine.ended) {
        static thread_local cache_guard guard;
        static_cast<void>(guard);
    }
    return !mine.ended;
}

[[gnu::noinline]] void* allocate_slowly(thread_cache& mine, std::size_t index) {
    if (!pooling) return allocate_unpooled(bytes_of_class(index));
    const bool known = is_known(mine);
    const batch fresh = depot().take(index);
    const batch rest{fresh.first->next, fresh.count - 1};
    if (known)
        mine.lists[index].become(rest);
    else
        depot().give_rest(index, rest.first);
    return fresh.first;
}

[[gnu::noinline]] void free_slowly(thread_cache& mine, void* block, std::size_t index) noexcept {
    if (!pooling) return free_unpooled(block, bytes_of_class(index));
    if (!is_known(mine)) return depot().give_rest(index, new (block) free_node{nullptr, nullptr});
    thread_cache::list& list = mine.lists[index];
    batch mine_now{new (block) free_node{list.first, nullptr}, list.size() + 1};
    if (mine_now.count >= mine.limit) depot().give_whole(index, cut_batch(mine_now).first);
    list.become(mine_now);
}

}  // namespace

// Not inlined, not even across objects: a coroutine must not keep the address of this thread's
// cache over a suspension, after which it may run on another thread.
[[gnu::noinline]] void* allocate_pooled(std::size_t size_class) {
    thread_cache& mine = cache;
    thread_cache::list& list = mine.lists[size_class];
    free_node* block = list.first;
    if (block == nullptr) [[unlikely]]
        return allocate_slowly(mine, size_class);
    list.become({block->next, list.size() - 1});
    __builtin_prefetch(block->ahead, 1);
    return block;
}

[[gnu::noinline]] void free_pooled(void* block, std::size_t size_class) noexcept {
    thread_cache& mine = cache;
    thread_cache::list& list = mine.lists[size_class];
    const std::uint32_t size = list.size() + 1;
    if (size >= mine.limit) [[unlikely]]  // without pooling it is always 0
        return free_slowly(mine, block, size_class);
    auto* freed = static_cast<free_node*>(block);
    freed->next = list.first;
    freed->ahead = list.first;
    list.become({freed, size});
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

void hold_frame_pool() { depot().hold(); }

void release_frame_pool() { depot().release(); }

void forget_other_threads_pools() noexcept { depot().keep_only(cache); }

}  // namespace weft::detail
