// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/frame_depot.hpp"

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include "base/huge_page.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t most_fresh_bytes = std::size_t{64} << 10;  // cut for one frame

/// The addresses of the one after the next are fetched meanwhile.
magazine* pop_from(magazine*& stack) noexcept {
    magazine* const taken = stack;
    if (taken == nullptr) return nullptr;
    stack = taken->next;
    if (stack != nullptr && stack->next != nullptr) fetch_addresses(*stack->next);
    return taken;
}

void push_to(magazine*& stack, magazine& given) noexcept {
    given.next = std::exchange(stack, &given);
}

}  // namespace

frame_depot& depot() {
    static auto* the_depot = new frame_depot;
    return *the_depot;
}

magazine_top frame_depot::exchange_empty(std::size_t index, magazine_top empty) {
    std::lock_guard guard{mutex_};
    add(changes_, std::uint64_t{1});
    magazine* filled = pop_from(filled_[index]);
    if (filled != nullptr) {
        if (empty != top_of_none) push_to(empty_, magazine_of(empty));
        if (filled_[index] != nullptr) fetch_blocks(filled_[index]->top);
        held_ -= count_of(filled->top);
        slabs_.note_use(*filled->top);
    } else {
        const bool brings_one = empty != top_of_none;
        filled = brings_one ? &magazine_of(empty) : pop_from(empty_);
        if (filled == nullptr) filled = new magazine;
        filled->top = filled->bottom();
        try {
            fill(index, *filled);
        } catch (const std::bad_alloc&) {
            if (!brings_one) push_to(empty_, *filled);
            throw;
        }
    }
    return filled->top;
}

/// With the mutex. Throws std::bad_alloc.
void frame_depot::fill(std::size_t index, magazine& empty) {
    if (loose_[index] != nullptr) {
        while (loose_[index] != nullptr && !is_full(empty.top)) {
            push(empty.top, reinterpret_cast<std::byte*>(loose_[index]));
            loose_[index] = loose_[index]->next;
            --held_;
        }
        return;
    }
    const std::size_t size = bytes_of_class(index);
    // By eights, so that what is cut next, whatever its size, is adjacent: trim() likes long runs.
    const std::size_t wanted = std::min(magazine::capacity, most_fresh_bytes / size) / 8 * 8;
    const auto fresh = slabs_.cut(size, wanted);
    // The first address is the first to go. (A child that is forked just now counts these as in use
    // for ever.)
    for (std::size_t i = fresh.blocks; i-- > 0;) push(empty.top, fresh.first + i * size);
    cut_ += static_cast<std::int64_t>(fresh.blocks);
}

magazine_top frame_depot::exchange_full(std::size_t index, magazine_top full) noexcept {
    std::lock_guard guard{mutex_};
    magazine* empty = pop_from(empty_);
    if (empty == nullptr) empty = new (std::nothrow) magazine;
    if (empty == nullptr) return nullptr;
    give(index, full);
    return empty->bottom();
}

/// With the mutex.
void frame_depot::give(std::size_t index, magazine_top top) noexcept {
    if (top == top_of_none) return;
    magazine& given = magazine_of(top);
    given.top = top;
    const std::int64_t count = count_of(top);
    held_ += count;
    add(changes_, std::uint64_t{1});
    add(returned_, static_cast<std::size_t>(count) * bytes_of_class(index));
    push_to(is_empty(top) ? empty_ : filled_[index], given);
}

void* frame_depot::take_one(std::size_t index) {
    std::lock_guard guard{mutex_};
    if (loose_block* const loose = loose_[index]) {
        loose_[index] = loose->next;
        --held_;
        return loose;
    }
    if (magazine* const from = filled_[index]) {
        std::byte* const block = *from->top--;
        --held_;
        if (is_empty(from->top)) push_to(empty_, *pop_from(filled_[index]));
        return block;
    }
    std::byte* const fresh = slabs_.cut(bytes_of_class(index), 1).first;
    ++cut_;
    return fresh;
}

/// The same for what may be a few blocks: a thousand threads that end leave no thousand magazines.
void frame_depot::merge(std::size_t index, magazine_top top) noexcept {
    if (top == top_of_none) return;
    magazine* const into = filled_[index];
    while (into != nullptr && !is_full(into->top) && !is_empty(top)) {
        push(into->top, *top--);
        ++held_;
    }
    give(index, top);
}

void frame_depot::give_one(std::size_t index, void* block) noexcept {
    std::lock_guard guard{mutex_};
    loose_[index] = new (block) loose_block{loose_[index]};
    ++held_;
}

// Through the caches themselves: a thread may meet the pool first when it frees a block.
void frame_depot::enter(thread_cache& cache) noexcept {
    std::lock_guard guard{mutex_};
    cache.next = caches_;
    if (caches_ != nullptr) caches_->previous = &cache;
    caches_ = &cache;
}

void frame_depot::leave(thread_cache& cache) noexcept {
    std::lock_guard guard{mutex_};
    for (std::size_t index = 0; index < frame_classes; ++index) {
        merge(index, cache.tops[index].get());
        give(index, cache.spares[index].get());
        cache.tops[index].set(top_of_none);
        cache.spares[index].set(top_of_none);
    }
    (cache.previous == nullptr ? caches_ : cache.previous->next) = cache.next;
    if (cache.next != nullptr) cache.next->previous = cache.previous;
}

namespace {

struct free_range {
    std::byte* begin;
    std::byte* end;
};

std::vector<free_range> collect(const std::array<magazine*, frame_classes>& from) {
    std::vector<free_range> found;
    std::size_t count = 0;
    for (const magazine* each : from) {
        for (; each != nullptr; each = each->next) {
            count += static_cast<std::size_t>(count_of(each->top));
        }
    }
    found.reserve(count);
    for (std::size_t index = 0; index < frame_classes; ++index) {
        for (magazine* each = from[index]; each != nullptr; each = each->next) {
            for (magazine_top top = each->top; top != each->bottom(); --top) {
                found.push_back({*top, *top + bytes_of_class(index)});
            }
        }
    }
    return found;
}

/// Adjacent ones count as one.
std::size_t give_back(std::vector<free_range>& free) noexcept {
    std::ranges::sort(
        free, {}, [](const free_range& r) { return reinterpret_cast<std::uintptr_t>(r.begin); });
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < free.size();) {
        free_range all = free[i];
        while (++i < free.size() && free[i].begin == all.end) all.end = free[i].end;
        bytes += give_pages_back(all.begin, all.end);
    }
    return bytes;
}

}  // namespace

std::size_t frame_depot::trim() noexcept {
    std::lock_guard alone{trimming_};
    stacks taken;
    {
        std::lock_guard guard{mutex_};
        taken = std::exchange(filled_, {});
        returned_.store(0, std::memory_order_relaxed);  // D2
    }
    std::size_t bytes = 0;
    try {
        std::vector<free_range> free = collect(taken);
        bytes = give_back(free);
    } catch (const std::bad_alloc&) {
        bytes = 0;  // no memory to find out what could be given back
    }
    std::lock_guard guard{mutex_};
    if (bytes != 0) slabs_.note_trim();
    for (std::size_t index = 0; index < frame_classes; ++index) {
        // Behind those that have come meanwhile, which are in memory.
        magazine** end = &filled_[index];
        while (*end != nullptr) end = &(*end)->next;
        *end = taken[index];
    }
    return bytes;
}

std::int64_t thread_cache::count() const noexcept {
    std::int64_t sum = 0;
    for (const place& top : tops) sum += count_of(top.get());
    for (const place& top : spares) sum += count_of(top.get());
    return sum;
}

/// In the child of a fork, with the mutex held: the other threads are not there, and their caches
/// lie on stacks that will be used again. What those magazines held is lost, so it was never cut.
/// (A thread that was about to exchange one may have it counted twice.)
void frame_depot::keep_only(thread_cache& cache) noexcept {
    for (const thread_cache* each = caches_; each != nullptr; each = each->next) {
        if (each != &cache) cut_ -= each->count();
    }
    caches_ = cache.is_known && !cache.ended ? &cache : nullptr;
    cache.previous = cache.next = nullptr;
}

std::int64_t frame_depot::live() noexcept {
    std::lock_guard guard{mutex_};
    std::int64_t sum = cut_ - held_ + unpooled_.load(std::memory_order_relaxed);  // D2
    for (const thread_cache* each = caches_; each != nullptr; each = each->next) {
        sum -= each->count();
    }
    return sum;
}

}  // namespace weft::detail
