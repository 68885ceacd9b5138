// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Per-thread free lists before a depot of batches. A thread's list holds at most two batches of a
// class; the second one goes to the depot in one lock, and an empty list takes one back in one
// lock. Fresh blocks are cut from chunks, which live as long as the process.
//
// Protocol: frame depot                                       checked by: tests/unit/task, TSan
// Fields     depot batches, chunks, retired counts → mutex · a thread's lists, limit → that thread
//            live → written by its thread, read by live_blocks
// Edges      D1 the depot's mutex: what a thread wrote to a block before it gave the batch is
//               visible to the one that takes it
//            D2 live is a statistic: exact only once the writers have been joined
// Shutdown   a thread's lists go to the depot when it ends; frees after that go there one by one.

#include "weft/task/frame_pool.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t granule = 16;
constexpr std::size_t largest = 1024;
constexpr std::size_t classes = largest / granule;
constexpr std::size_t chunk_bytes = std::size_t{64} << 10;
constexpr std::uint32_t batch_blocks = 32;

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

struct free_node {
    free_node* next;
    free_node* next_batch;  // only in the first node of a batch in the depot
};

constexpr std::size_t class_of(std::size_t size) { return (size + granule - 1) / granule - 1; }
constexpr std::size_t bytes_of(std::size_t index) { return (index + 1) * granule; }
constexpr std::align_val_t alignment_of(std::size_t size) {
    return std::align_val_t{size % 64 == 0 ? 64u : granule};
}

struct thread_cache {
    struct list {
        free_node* first = nullptr;
        std::uint32_t count = 0;
    };
    std::array<list, classes> lists{};
    real_environment::atomic<std::int64_t> live{0};
    std::uint32_t limit =
        0;  // blocks that a list may hold; 0 before the thread is known, and after
    bool ended = false;
};

class frame_depot {
public:
    /// One batch of up to batch_blocks blocks.
    thread_cache::list take(std::size_t index);
    void give(std::size_t index, free_node* batch) noexcept;
    void enter(thread_cache& cache);
    void leave(thread_cache& cache) noexcept;
    std::int64_t live() noexcept;
    void hold() { mutex_.lock(); }
    void release() { mutex_.unlock(); }
    void count_late(std::int64_t change) noexcept {
        std::lock_guard guard{mutex_};
        retired_live_ += change;
    }

private:
    thread_cache::list cut(std::size_t index);

    std::mutex mutex_;
    std::array<free_node*, classes> batches_{};
    std::vector<std::byte*> chunks_;
    std::vector<thread_cache*> caches_;
    std::int64_t retired_live_ = 0;
};

frame_depot& depot() {
    static auto* the_depot = new frame_depot;  // outlives every thread, static destructors included
    return *the_depot;
}

thread_cache::list frame_depot::take(std::size_t index) {
    std::lock_guard guard{mutex_};
    free_node* batch = batches_[index];
    if (batch == nullptr) return cut(index);
    batches_[index] = batch->next_batch;
    std::uint32_t count = 0;
    for (free_node* node = batch; node != nullptr; node = node->next) ++count;
    return {batch, count};
}

thread_cache::list frame_depot::cut(std::size_t index) {
    std::size_t block = bytes_of(index);
    std::size_t count = std::min<std::size_t>(batch_blocks, chunk_bytes / block);
    if (chunks_.size() == chunks_.capacity()) chunks_.reserve(2 * chunks_.size() + 16);
    auto* chunk = static_cast<std::byte*>(::operator new(count * block, std::align_val_t{64}));
    chunks_.push_back(chunk);
    free_node* first = nullptr;
    for (std::size_t i = count; i-- > 0;) {
        first = new (chunk + i * block) free_node{first, nullptr};
    }
    return {first, static_cast<std::uint32_t>(count)};
}

void frame_depot::give(std::size_t index, free_node* batch) noexcept {
    if (batch == nullptr) return;
    std::lock_guard guard{mutex_};
    batch->next_batch = batches_[index];
    batches_[index] = batch;
}

void frame_depot::enter(thread_cache& cache) {
    std::lock_guard guard{mutex_};
    caches_.push_back(&cache);
}

void frame_depot::leave(thread_cache& cache) noexcept {
    for (std::size_t index = 0; index < classes; ++index) {
        give(index, cache.lists[index].first);
        cache.lists[index] = {};
    }
    std::lock_guard guard{mutex_};
    retired_live_ += cache.live.load(std::memory_order_relaxed);  // D2
    cache.live.store(0, std::memory_order_relaxed);               // D2
    std::erase(caches_, &cache);
}

std::int64_t frame_depot::live() noexcept {
    std::lock_guard guard{mutex_};
    std::int64_t sum = retired_live_;
    for (thread_cache* cache : caches_) sum += cache->live.load(std::memory_order_relaxed);  // D2
    return sum;
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

void count_live(thread_cache& mine, std::int64_t change) noexcept {
    std::int64_t now = mine.live.load(std::memory_order_relaxed) + change;  // D2: own word
    mine.live.store(now, std::memory_order_relaxed);                        // D2
}

[[gnu::noinline]] void* allocate_slowly(thread_cache& mine, std::size_t size) {
    bool known = is_known(mine);
    void* block = nullptr;
    if (!pooling || size > largest) {
        block = ::operator new(size, alignment_of(size));
    } else {
        std::size_t index = class_of(size);
        thread_cache::list batch = depot().take(index);
        block = batch.first;
        if (known)
            mine.lists[index] = {batch.first->next, batch.count - 1};
        else
            depot().give(index, batch.first->next);
    }
    if (known)
        count_live(mine, 1);
    else
        depot().count_late(1);
    return block;
}

void give_batch(thread_cache::list& list, std::size_t index) noexcept {
    free_node* last = list.first;
    for (std::uint32_t i = 1; i < batch_blocks; ++i) last = last->next;
    free_node* rest = last->next;
    last->next = nullptr;
    depot().give(index, list.first);
    list = {rest, list.count - batch_blocks};
}

[[gnu::noinline]] void free_slowly(thread_cache& mine, void* block, std::size_t size) noexcept {
    bool known = is_known(mine);
    if (known)
        count_live(mine, -1);
    else
        depot().count_late(-1);
    if (!pooling || size > largest) {
        ::operator delete(block, size, alignment_of(size));
        return;
    }
    std::size_t index = class_of(size);
    if (!known) return depot().give(index, new (block) free_node{nullptr, nullptr});
    thread_cache::list& list = mine.lists[index];
    list.first = new (block) free_node{list.first, nullptr};
    if (++list.count >= mine.limit) give_batch(list, index);
}

}  // namespace

// Not inlined, not even across objects: a coroutine must not keep the address of this thread's
// cache over a suspension, after which it may run on another thread.
[[gnu::noinline]] void* allocate_block(std::size_t size) {
    thread_cache& mine = cache;
    if (!pooling || size > largest) [[unlikely]]
        return allocate_slowly(mine, size);
    thread_cache::list& list = mine.lists[class_of(size)];
    free_node* block = list.first;
    if (block == nullptr) [[unlikely]]
        return allocate_slowly(mine, size);
    list.first = block->next;
    --list.count;
    count_live(mine, 1);
    return block;
}

[[gnu::noinline]] void free_block(void* block, std::size_t size) noexcept {
    thread_cache& mine = cache;
    if (!pooling || size > largest) [[unlikely]]
        return free_slowly(mine, block, size);
    thread_cache::list& list = mine.lists[class_of(size)];
    if (list.count + 1 >= mine.limit) [[unlikely]]
        return free_slowly(mine, block, size);
    list.first = new (block) free_node{list.first, nullptr};
    ++list.count;
    count_live(mine, -1);
}

std::int64_t live_blocks() noexcept { return depot().live(); }

void hold_frame_pool() { depot().hold(); }

void release_frame_pool() { depot().release(); }

}  // namespace weft::detail
