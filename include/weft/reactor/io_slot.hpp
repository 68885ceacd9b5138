// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The entry of one registered descriptor, and the slab that keeps entries at stable addresses. An
// event of the kernel names its entry by index and generation, never by pointer, so an event that
// comes after the entry was given to another descriptor is recognised and dropped. Entries are
// reused, and freed only with the slab. Neither type does a system call.
//
// Protocol: slot slab                             checked by: tests/unit/reactor/io_slot_test.cpp
// Roles      registrar (any thread, under the mutex) · poller (any thread) · closer (once a life)
// Word       generation: counts the closes of this slot
// Fields     free list → mutex;  chunks_[i] → atomic, set once;  index → immutable
// States     free ──acquire/registrar──▶ open ──close/closer──▶ closed ──release/closer──▶ free
// Invariants I1 a slot's address is valid as long as its slab.
//            I2 a closed slot goes back to the free list only after its descriptor was removed from
//               the poller, so no new event can carry its next token.
// Edges      P1 chunk store release → find acquire: the slots of the chunk are constructed
//            P2 close release → matches acquire: an event of an ended life is recognised. That a
//               new life's words are reset before its first event needs no edge here: the system
//               call that registers the descriptor comes between.
// Races      The poller reads the old generation, the slot is closed and reused, then the event
//            marks the new life ready: readiness I3 makes that one useless system call.
// Shutdown   The slab dies after every thread that polls or registers is joined.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "weft/reactor/readiness.hpp"

namespace weft::detail {

/// Names one life of one slot: index in the low half, generation in the high half.
struct io_token {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;

    [[nodiscard]] constexpr std::uint64_t packed() const noexcept {
        return (std::uint64_t{generation} << 32) | index;
    }
    [[nodiscard]] static constexpr io_token unpack(std::uint64_t value) noexcept {
        return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
    }
};

enum class io_direction : std::uint8_t { read, write };

/// The waiters that a close handed out: the caller wakes those that are not null.
struct closed_waiters {
    io_waiter* reader = nullptr;
    io_waiter* writer = nullptr;
};

template <class Env>
class reactor_core;

template <class Env>
class io_slot {
public:
    io_slot() = default;
    io_slot(const io_slot&) = delete;
    io_slot& operator=(const io_slot&) = delete;

    [[nodiscard]] readiness_word<Env>& word(io_direction direction) noexcept {
        return direction == io_direction::read ? reader_ : writer_;
    }
    [[nodiscard]] io_token token() const noexcept {
        return {index_, generation_.load(std::memory_order_relaxed)};  // the owner's own store
    }
    /// Poller: does `token` still name this slot's present life?
    [[nodiscard]] bool matches(io_token token) const noexcept {
        return generation_.load(std::memory_order_acquire) == token.generation;  // P2
    }
    /// While registered: the part of its shard that it keeps alive.
    [[nodiscard]] reactor_core<Env>* owner() const noexcept { return owner_; }
    /// Closer, once a life: later events are dropped, later prepares say closed.
    [[nodiscard]] closed_waiters close() noexcept {
        generation_.fetch_add(1, std::memory_order_release);  // P2: ends this life
        return {reader_.close(), writer_.close()};
    }

private:
    template <class>
    friend class slot_slab;

    readiness_word<Env> reader_;
    readiness_word<Env> writer_;
    typename Env::template atomic<std::uint32_t> generation_{1};
    std::uint32_t index_ = 0;
    reactor_core<Env>* owner_ = nullptr;
    io_slot* next_free_ = nullptr;
};

template <class Env>
class slot_slab {
public:
    slot_slab() = default;
    slot_slab(const slot_slab&) = delete;
    slot_slab& operator=(const slot_slab&) = delete;
    ~slot_slab();

    /// Any thread. An open slot of `owner` with both directions empty; throws std::bad_alloc.
    [[nodiscard]] io_slot<Env>* acquire(reactor_core<Env>& owner);
    /// Closer, after the descriptor was removed from the poller.
    void release(io_slot<Env>* slot) noexcept;
    /// Any thread. Null for an index that was never handed out.
    [[nodiscard]] io_slot<Env>* find(std::uint32_t index) noexcept;
    /// Slots that are open or closed but not yet released. Any thread; a moment old.
    [[nodiscard]] std::uint32_t in_use() const noexcept {
        return in_use_.load(std::memory_order_relaxed);  // statistics: no edge
    }

private:
    // Chunk k holds 64 << k slots; its first index is (64 << k) - 64.
    static constexpr std::uint32_t first_chunk = 64;
    static constexpr std::size_t chunk_limit = 24;

    struct place {
        std::size_t chunk;
        std::size_t offset;
    };
    [[nodiscard]] static place place_of(std::uint32_t index) noexcept {
        const std::uint64_t shifted = std::uint64_t{index} + first_chunk;
        const auto width = static_cast<std::size_t>(std::bit_width(shifted)) - 1;
        return {width - 6, static_cast<std::size_t>(shifted - (std::uint64_t{1} << width))};
    }
    void grow_locked();

    std::mutex mutex_;
    std::array<typename Env::template atomic<io_slot<Env>*>, chunk_limit> chunks_{};
    std::size_t chunk_count_ = 0;
    typename Env::template atomic<std::uint32_t> in_use_{0};
    io_slot<Env>* free_ = nullptr;
};

// ---------------------------------------------------------------------------------------------

template <class Env>
slot_slab<Env>::~slot_slab() {
    for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);  // Shutdown
}

template <class Env>
io_slot<Env>* slot_slab<Env>::acquire(reactor_core<Env>& owner) {
    std::scoped_lock lock(mutex_);
    if (free_ == nullptr) grow_locked();
    io_slot<Env>* slot = free_;
    free_ = slot->next_free_;
    slot->owner_ = &owner;
    slot->reader_.reopen();
    slot->writer_.reopen();
    in_use_.fetch_add(1, std::memory_order_relaxed);  // statistics: no edge
    return slot;
}

template <class Env>
void slot_slab<Env>::release(io_slot<Env>* slot) noexcept {
    std::scoped_lock lock(mutex_);
    slot->next_free_ = free_;
    free_ = slot;
    in_use_.fetch_sub(1, std::memory_order_relaxed);  // statistics: no edge
}

template <class Env>
io_slot<Env>* slot_slab<Env>::find(std::uint32_t index) noexcept {
    const place at = place_of(index);
    if (at.chunk >= chunk_limit) return nullptr;
    auto* chunk = chunks_[at.chunk].load(std::memory_order_acquire);  // P1: constructed slots
    return chunk == nullptr ? nullptr : chunk + at.offset;
}

template <class Env>
void slot_slab<Env>::grow_locked() {
    WEFT_CHECK(chunk_count_ < chunk_limit, "more than a billion descriptors in one reactor shard");
    const std::uint32_t size = first_chunk << chunk_count_;
    const std::uint32_t first_index = size - first_chunk;
    auto* chunk = new io_slot<Env>[size];
    for (std::uint32_t i = size; i-- > 0;) {
        chunk[i].index_ = first_index + i;
        chunk[i].next_free_ = free_;
        free_ = &chunk[i];
    }
    chunks_[chunk_count_++].store(chunk, std::memory_order_release);  // P1: constructed slots
}

}  // namespace weft::detail
