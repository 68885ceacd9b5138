// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The circular storage of a work deque: a power of two of atomic slots, addressed by an index that
// only grows. The owner writes, anyone reads; which index may be written or read when is the
// deque's protocol (work_deque.hpp), not decided here. A ring owns the ring that it replaced.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

/// Where the slots of a ring lie.
template <class Env>
class ring_slots {
public:
    using index = std::int64_t;
    using slot = typename Env::template atomic<void*>;

    ring_slots(slot* first, std::size_t mask) noexcept : first_(first), mask_(mask) {}

    [[nodiscard]] index capacity() const noexcept { return static_cast<index>(mask_ + 1); }
    void put(index at, void* item) const noexcept {
        slot_of(at).store(item, std::memory_order_relaxed);  // deque P1 or P4 publishes it
    }
    [[nodiscard]] void* get(index at) const noexcept {
        return slot_of(at).load(std::memory_order_relaxed);  // deque P1 and P4 made it visible
    }

private:
    [[nodiscard]] slot& slot_of(index at) const noexcept {
        return first_[static_cast<std::size_t>(at) & mask_];
    }

    slot* first_;
    std::size_t mask_;
};

template <class Env>
class deque_ring {
public:
    using index = std::int64_t;

    /// `capacity` is rounded up to a power of two, at least 2. Throws std::bad_alloc.
    explicit deque_ring(std::size_t capacity);

    [[nodiscard]] ring_slots<Env> slots() const noexcept { return {storage_.get(), mask_}; }
    [[nodiscard]] void* get(index at) const noexcept { return slots().get(at); }
    /// Owner, before this ring is published: the slots [first, last) of `other`.
    void copy_from(const deque_ring& other, index first, index last) noexcept;
    /// Keeps `replaced`, which thieves may still read, alive as long as this ring.
    void keep(std::unique_ptr<deque_ring> replaced) noexcept;

private:
    using slot = typename ring_slots<Env>::slot;

    [[nodiscard]] static std::size_t mask_for(std::size_t capacity);

    std::size_t mask_;
    std::unique_ptr<slot[]> storage_;
    std::unique_ptr<deque_ring> replaced_;
};

// ---------------------------------------------------------------------------------------------

template <class Env>
deque_ring<Env>::deque_ring(std::size_t capacity)
    : mask_(mask_for(capacity)), storage_(new slot[mask_ + 1]) {}

template <class Env>
std::size_t deque_ring<Env>::mask_for(std::size_t capacity) {
    // The limit keeps rounding up, indices and the allocation's size in bytes from overflowing.
    constexpr std::size_t limit = std::size_t{1} << 40;
    if (capacity > limit) throw std::bad_alloc();
    return std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1;
}

template <class Env>
void deque_ring<Env>::copy_from(const deque_ring& other, index first, index last) noexcept {
    for (index at = first; at < last; ++at) slots().put(at, other.get(at));
}

template <class Env>
void deque_ring<Env>::keep(std::unique_ptr<deque_ring> replaced) noexcept {
    replaced_ = std::move(replaced);
}

extern template class deque_ring<real_environment>;

}  // namespace weft::detail
