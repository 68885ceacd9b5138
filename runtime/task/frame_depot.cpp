// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/frame_depot.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace weft::detail {

namespace {

constexpr std::size_t most_fresh_bytes = std::size_t{64} << 10;  // touched for one frame

std::uint32_t length_of(const free_node* node) noexcept {
    std::uint32_t count = 0;
    for (; node != nullptr; node = node->next) ++count;
    return count;
}

batch string_together(block_slabs::range blocks, std::size_t size) noexcept {
    free_node* first = nullptr;
    for (std::size_t i = blocks.blocks; i-- > 0;) {
        first = new (blocks.first + i * size) free_node{first, first};
    }
    return {first, static_cast<std::uint32_t>(blocks.blocks)};
}

}  // namespace

batch cut_batch(batch& from) noexcept {
    free_node* last = from.first;
    free_node* behind = last;
    for (std::uint32_t i = 1; i < batch_blocks; ++i) {
        last = last->next;
        if (i < fetch_distance) continue;
        behind->ahead = last;
        behind = behind->next;
    }
    const batch whole{from.first, batch_blocks};
    from = {last->next, from.count - batch_blocks};
    last->next = nullptr;
    return whole;
}

frame_depot& depot() {
    static auto* the_depot = new frame_depot;
    return *the_depot;
}

batch frame_depot::take(std::size_t index) {
    const std::size_t size = bytes_of_class(index);
    block_slabs::range fresh;
    {
        std::lock_guard guard{mutex_};
        if (batch free = take_free(index); free.first != nullptr) return free;
        fresh = slabs_.cut(size, std::min<std::size_t>(batch_blocks, most_fresh_bytes / size));
        cut_ += static_cast<std::int64_t>(fresh.blocks);
    }
    // The first to touch it, which may take the system a while. (A child that is forked just now
    // counts it as in use for ever.)
    return string_together(fresh, size);
}

/// With the mutex.
batch frame_depot::take_free(std::size_t index) noexcept {
    const bool is_whole = free_.whole[index] != nullptr;
    free_node*& stack = (is_whole ? free_.whole : free_.rests)[index];
    free_node* first = stack;
    if (first == nullptr) return {};
    stack = first->ahead;
    if (stack != nullptr) __builtin_prefetch(stack, 1);
    if (!is_whole) return {first, length_of(first)};
    return {first, batch_blocks};
}

void frame_depot::give_whole(std::size_t index, free_node* first) noexcept {
    std::lock_guard guard{mutex_};
    first->ahead = std::exchange(free_.whole[index], first);
}

void frame_depot::give_rest(std::size_t index, free_node* first) noexcept {
    if (first == nullptr) return;
    std::lock_guard guard{mutex_};
    first->ahead = std::exchange(free_.rests[index], first);
}

// Through the caches themselves: a thread may meet the pool first when it frees a block.
void frame_depot::enter(thread_cache& cache) noexcept {
    std::lock_guard guard{mutex_};
    cache.next = caches_;
    if (caches_ != nullptr) caches_->previous = &cache;
    caches_ = &cache;
}

void frame_depot::leave(thread_cache& cache) noexcept {
    for (std::size_t index = 0; index < frame_classes; ++index) {
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
    for (const auto* stacks : {&free_.whole, &free_.rests}) {
        for (const free_node* first : *stacks) {
            for (; first != nullptr; first = first->ahead) sum -= length_of(first);
        }
    }
    for (const thread_cache* each = caches_; each != nullptr; each = each->next) {
        for (const thread_cache::list& list : each->lists) sum -= list.size();
    }
    return sum;
}

}  // namespace weft::detail
