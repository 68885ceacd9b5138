// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Per-thread free lists before a depot of batches. A thread's list holds at most two batches of a
// class; the second one goes to the depot in one lock, and an empty list takes one back in one
// lock. Fresh blocks are cut from chunks, which live as long as the process.
//
// Protocol: frame depot                                       checked by: tests/unit/task, TSan
// Fields     depot batches, chunks, links of the caches → mutex
//            a thread's lists, limit → that thread
//            counts of the lists → written by their thread, read by live_blocks
// Edges      D1 the depot's mutex: what a thread wrote to a block before it gave the batch is
//               visible to the one that takes it
//            D2 counts are statistics to others: exact only once the writers have been joined
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

constexpr std::size_t classes = largest_pooled_frame / frame_granule;
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

// A list that is taken from faster than memory answers has to be fetched several blocks ahead, and
// a link leads to the next one only. So a batch that leaves for the depot, warm as it is, gets
// links that skip some (jump pointers: Luk and Mowry, ASPLOS 1996).
struct free_node {
    free_node* next;
    // A block that will be wanted soon, or in the first node of a batch in the depot: the next
    // batch.
    free_node* ahead;
};
constexpr std::uint32_t fetch_distance = 4;  // blocks

constexpr std::size_t bytes_of(std::size_t index) { return (index + 1) * frame_granule; }
constexpr std::align_val_t alignment_of(std::size_t size) {
    return std::align_val_t{size % 64 == 0 ? 64u : frame_granule};
}

struct batch {
    free_node* first = nullptr;
    std::uint32_t count = 0;
};

std::uint32_t length_of(const free_node* node) noexcept {
    std::uint32_t count = 0;
    for (; node != nullptr; node = node->next) ++count;
    return count;
}

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
    std::array<list, classes> lists{};
    // Blocks that a list may hold; 0 before the thread is known, and after.
    std::uint32_t limit = 0;
    bool ended = false;
    // The depot's list of the caches that count.
    thread_cache* previous = nullptr;
    thread_cache* next = nullptr;
};

class frame_depot {
public:
    /// One batch of up to batch_blocks blocks.
    batch take(std::size_t index);
    /// A whole batch has batch_blocks blocks.
    void give_whole(std::size_t index, free_node* first) noexcept { give(whole_[index], first); }
    void give_rest(std::size_t index, free_node* first) noexcept { give(rests_[index], first); }
    void enter(thread_cache& cache) noexcept;
    void leave(thread_cache& cache) noexcept;
    void keep_only(thread_cache& cache) noexcept;
    std::int64_t live() noexcept;
    void hold() { mutex_.lock(); }
    void release() { mutex_.unlock(); }
    /// Blocks that come from no list.
    void count_unpooled(std::int64_t change) noexcept {
        unpooled_.fetch_add(change, std::memory_order_relaxed);  // D2
    }

private:
    // Kept apart, so that nobody counts a batch by a walk through memory that another processor
    // has just freed.
    using batch_stacks = std::array<free_node*, classes>;

    batch cut(std::size_t index);
    void give(free_node*& stack, free_node* first) noexcept;

    std::mutex mutex_;
    batch_stacks whole_{};
    batch_stacks rests_{};
    std::vector<std::byte*> chunks_;
    thread_cache* caches_ = nullptr;
    std::int64_t cut_ = 0;  // blocks ever cut
    real_environment::atomic<std::int64_t> unpooled_{0};
};

frame_depot& depot() {
    static auto* the_depot = new frame_depot;  // outlives every thread, static destructors included
    return *the_depot;
}

batch frame_depot::take(std::size_t index) {
    std::lock_guard guard{mutex_};
    const bool is_whole = whole_[index] != nullptr;
    free_node*& stack = (is_whole ? whole_ : rests_)[index];
    free_node* first = stack;
    if (first == nullptr) return cut(index);
    stack = first->ahead;
    if (stack != nullptr) __builtin_prefetch(stack, 1);
    return {first, is_whole ? batch_blocks : length_of(first)};
}

batch frame_depot::cut(std::size_t index) {
    std::size_t block = bytes_of(index);
    std::size_t count = std::min<std::size_t>(batch_blocks, chunk_bytes / block);
    if (chunks_.size() == chunks_.capacity()) chunks_.reserve(2 * chunks_.size() + 16);
    auto* chunk = static_cast<std::byte*>(::operator new(count * block, std::align_val_t{64}));
    chunks_.push_back(chunk);
    free_node* first = nullptr;
    for (std::size_t i = count; i-- > 0;) {
        first = new (chunk + i * block) free_node{first, first};
    }
    cut_ += static_cast<std::int64_t>(count);
    return {first, static_cast<std::uint32_t>(count)};
}

void frame_depot::give(free_node*& stack, free_node* first) noexcept {
    if (first == nullptr) return;
    std::lock_guard guard{mutex_};
    first->ahead = stack;
    stack = first;
}

// Through the caches themselves: a thread may meet the pool first when it frees a block.
void frame_depot::enter(thread_cache& cache) noexcept {
    std::lock_guard guard{mutex_};
    cache.next = caches_;
    if (caches_ != nullptr) caches_->previous = &cache;
    caches_ = &cache;
}

void frame_depot::leave(thread_cache& cache) noexcept {
    for (std::size_t index = 0; index < classes; ++index) {
        give_rest(index, cache.lists[index].first);
        cache.lists[index].become({});
    }
    std::lock_guard guard{mutex_};
    (cache.previous == nullptr ? caches_ : cache.previous->next) = cache.next;
    if (cache.next != nullptr) cache.next->previous = cache.previous;
}

/// In the child of a fork, with the mutex held: the other threads are not there, and their caches
/// lie on stacks that will be used again. What those lists held is lost, so it was never cut.
void frame_depot::keep_only(thread_cache& cache) noexcept {
    for (const thread_cache* each = caches_; each != nullptr; each = each->next) {
        if (each == &cache) continue;
        for (const thread_cache::list& list : each->lists) cut_ -= list.size();
    }
    const bool is_known = cache.limit != 0;
    caches_ = is_known ? &cache : nullptr;
    cache.previous = cache.next = nullptr;
}

std::int64_t frame_depot::live() noexcept {
    std::lock_guard guard{mutex_};
    std::int64_t sum = cut_ + unpooled_.load(std::memory_order_relaxed);  // D2
    for (const batch_stacks* stacks : {&whole_, &rests_}) {
        for (const free_node* first : *stacks) {
            for (; first != nullptr; first = first->ahead) sum -= length_of(first);
        }
    }
    for (const thread_cache* each = caches_; each != nullptr; each = each->next) {
        for (const thread_cache::list& list : each->lists) sum -= list.size();
    }
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

[[gnu::noinline]] void* allocate_slowly(thread_cache& mine, std::size_t index) {
    if (!pooling) return allocate_unpooled(bytes_of(index));
    const bool known = is_known(mine);
    const batch fresh = depot().take(index);
    const batch rest{fresh.first->next, fresh.count - 1};
    if (known)
        mine.lists[index].become(rest);
    else
        depot().give_rest(index, rest.first);
    return fresh.first;
}

void give_batch(thread_cache::list& list, std::size_t index) noexcept {
    free_node* last = list.first;
    free_node* behind = last;
    for (std::uint32_t i = 1; i < batch_blocks; ++i) {
        last = last->next;
        if (i < fetch_distance) continue;
        behind->ahead = last;
        behind = behind->next;
    }
    const batch rest{last->next, list.size() - batch_blocks};
    last->next = nullptr;
    depot().give_whole(index, list.first);
    list.become(rest);
}

[[gnu::noinline]] void free_slowly(thread_cache& mine, void* block, std::size_t index) noexcept {
    if (!pooling) return free_unpooled(block, bytes_of(index));
    if (!is_known(mine)) return depot().give_rest(index, new (block) free_node{nullptr, nullptr});
    thread_cache::list& list = mine.lists[index];
    list.become({new (block) free_node{list.first, nullptr}, list.size() + 1});
    if (list.size() >= mine.limit) give_batch(list, index);
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
