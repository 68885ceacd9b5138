// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The work deque: a growable Chase-Lev deque of pointers. One thread owns it and works at the
// bottom, any thread takes from the top with one compare-and-swap. It knows neither what it holds
// nor who runs it, frees no item, and never waits. Two ways of use, chosen by whoever holds it:
//   lifo   the owner pops what it pushed last; thieves call steal()
//   fifo   the owner never calls pop(), only take_front(); thieves call steal_fifo()/steal_half()
// Sources: Chase and Lev, Dynamic circular work-stealing deque (SPAA 2005); Le, Pop, Cohen and
// Zappa Nardelli, Correct and efficient work-stealing for weak memory models (PPoPP 2013).
//
// Protocol: work deque                                     checked by: tests/model/deque_model.cpp
// Roles      owner (one thread) · thief (any thread, the owner too)
// Words      top_ next index to steal, only grows · bottom_ next index to push · ring_ the storage
// Fields     top_known_, full_at_, slots_, rings → owner-confined;  slots → atomic, owner writes
// Invariants I1 items are at [top, bottom); both are 64 bits and top never comes back: no ABA.
//            I2 an index is claimed once: by the CAS of top_ that passes it, or by a pop() that
//               saw top_ < index after P3. The last item is always claimed by CAS.
//            I3 the slot of index i is written again only when the owner has read top_ > i.
//            I4 a ring that was replaced is never written again and lives until destruction.
// Edges      P1 bottom_ store release → bottom_ load acquire: the slots below it and their items.
//               Every store of bottom_ is a release, pop()'s too: a thief may read any of them.
//            P2 top_ CAS release → top_ load acquire in reserve(): the slot was read before it is
//               written again (I3). RMWs of others in between continue the release sequence.
//            P3 store-load pair: pop {lower bottom_, light fence, read top_} against
//               steal {read top_, heavy fence, read bottom_}. Of a pop and a steal of one index at
//               least one sees the other: the pop then goes to the CAS, the thief finds it empty.
//            P4 ring_ store release → ring_ load acquire: the copied slots
// Fences     pop needs P3 because it claims without CAS. push, take_front: none, they never lower
//            bottom_, and take_front claims by CAS. steal_fifo, steal_half: none, if nobody pops:
//            bottom_ then only grows, so all below any value read is published (P1), and every
//            claim is a CAS on top_, so also of a batch [t, t+n) at once: it succeeds only if
//            nothing of it was claimed before, and its slots were intact then (I3). On a deque
//            with pops a batch could pass an index that a pop took without CAS: not offered.
// Races      Two items, top t. The owner lowers bottom_ to t+1 and reads top_ = t: takes t+1
//            without CAS. A thief that takes t is no danger. A second thief that read top_ = t+1
//            must have read it before its fence, so by P3 its bottom_ is t+1: empty.
//            The thief reads a slot, sleeps, the owner laps the ring: by I3 top_ moved, CAS fails.
// Progress   Lock-free: a CAS on top_ fails only because another one claimed.
// Shutdown   Destruction needs all threads gone; items still inside are the caller's.
// Rejected   split private/public deque: pop is as cheap here, and what is pushed is stealable at
//            once; freeing rings early: doubling bounds the retired ones by the live one's size.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/queue/deque_handles.hpp"
#include "weft/queue/deque_ring.hpp"
#include "weft/queue/stolen.hpp"

namespace weft::detail {

template <class Env, class T>
class work_deque {
public:
    using owner_handle = deque_owner<Env, T>;
    using thief_handle = deque_thief<Env, T>;
    static constexpr std::size_t batch_limit = 32;  ///< most items of one steal_half()

    /// `capacity` is rounded up to a power of two. Throws std::bad_alloc.
    explicit work_deque(std::size_t capacity = 256);
    work_deque(const work_deque&) = delete;
    work_deque& operator=(const work_deque&) = delete;

    /// The right to the bottom end: handed out once.
    [[nodiscard]] owner_handle owner() noexcept;
    [[nodiscard]] thief_handle thief() noexcept { return thief_handle(*this); }

    /// Any thread; a hint.
    [[nodiscard]] bool is_empty() const noexcept { return size_hint() == 0; }
    [[nodiscard]] std::size_t size_hint() const noexcept;

private:
    friend owner_handle;
    friend thief_handle;
    using index = std::int64_t;
    using ring = deque_ring<Env>;

    template <class Each>
    [[nodiscard]] push_result try_push_all(std::size_t count, Each&& each) noexcept;
    [[nodiscard]] bool try_push(T* item) noexcept;
    void push(T* item);
    T* pop() noexcept;
    [[nodiscard]] bool pop_above_others(index height, T*& item) noexcept;
    T* take_front() noexcept;
    [[nodiscard]] bool take_front_if(const T* item) noexcept;
    T* take_front_alone() noexcept;
    [[nodiscard]] bool is_front(const T* item) const noexcept;
    [[nodiscard]] const T* look_ahead(index places) const noexcept;
    [[nodiscard]] bool holds_more_than(std::size_t count) const noexcept;
    void reserve(std::size_t more);
    stolen<T> steal() noexcept;
    stolen<T> steal_fifo() noexcept;
    stolen<T> steal_half(owner_handle& into);
    stolen<T> claim(index top) noexcept;
    [[nodiscard]] bool has_room(index bottom, index more) const noexcept;
    template <class Each>
    [[nodiscard]] bool put_all(index bottom, std::size_t count, Each& each) noexcept;

    static constexpr std::size_t line_bytes = 64;
    alignas(line_bytes) typename Env::template atomic<index> top_{0};
    alignas(line_bytes) typename Env::template atomic<index> bottom_{0};
    typename Env::template atomic<ring*> ring_;
    index top_known_ = 0;           // a value that top_ has reached
    std::unique_ptr<ring> newest_;  // owns the chain of rings
    ring_slots<Env> slots_;         // of the newest
    index full_at_;                 // room up to here, seen from a former top_known_
    bool owner_taken_ = false;
};

// ---------------------------------------------------------------------------------------------

template <class Env, class T>
work_deque<Env, T>::work_deque(std::size_t capacity)
    : newest_(new ring(capacity)), slots_(newest_->slots()), full_at_(slots_.capacity()) {
    ring_.store(newest_.get(), std::memory_order_relaxed);  // not shared yet: no edge
}

template <class Env, class T>
auto work_deque<Env, T>::owner() noexcept -> owner_handle {
    WEFT_CHECK(!owner_taken_, "a work deque has one owner; pass its handle on instead");
    owner_taken_ = true;
    return owner_handle(*this);
}

template <class Env, class T>
std::size_t work_deque<Env, T>::size_hint() const noexcept {
    const index top = top_.load(std::memory_order_acquire);        // P2: a hint, before the bottom
    const index bottom = bottom_.load(std::memory_order_acquire);  // P1: a hint, the newest
    return bottom > top ? static_cast<std::size_t>(bottom - top) : 0;
}

template <class Env, class T>
inline bool work_deque<Env, T>::has_room(index bottom, index more) const noexcept {
    const index off = mutated<Env>(mutation::deque_push_off_by_one) ? 1 : 0;
    return more <= full_at_ + off - bottom;
}

template <class Env, class T>
template <class Each>
inline push_result work_deque<Env, T>::try_push_all(std::size_t count, Each&& each) noexcept {
    const index bottom = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    if (!put_all(bottom, count, each)) return push_result::no_room;
    const bool is_above = top_.load(std::memory_order_relaxed) < bottom;  // hint
    return is_above ? push_result::above_others : push_result::alone;
}

template <class Env, class T>
template <class Each>
inline bool work_deque<Env, T>::put_all(index bottom, std::size_t count, Each& each) noexcept {
    const auto more = static_cast<index>(count);
    if (!has_room(bottom, more)) [[unlikely]]
        return false;
    index next = bottom;
    const auto put = [into = slots_, &next] [[gnu::always_inline]] (T * item) noexcept {
        WEFT_DCHECK(item != nullptr, "a null item reads as an empty deque");
        into.put(next++, item);
    };
    each(bottom, put);
    WEFT_DCHECK(next == bottom + more, "other items were put than were announced");
    bottom_.store(bottom + more, order_unless<Env>(mutation::deque_push_relaxed,
                                                   std::memory_order_release));  // P1: the slots
    return true;
}

template <class Env, class T>
inline bool work_deque<Env, T>::try_push(T* item) noexcept {
    const auto it = [item](index, auto put) noexcept { put(item); };
    return put_all(bottom_.load(std::memory_order_relaxed), 1, it);  // the owner's own store
}

template <class Env, class T>
inline void work_deque<Env, T>::push(T* item) {
    if (try_push(item)) return;
    reserve(1);
    static_cast<void>(try_push(item));
}

template <class Env, class T>
inline T* work_deque<Env, T>::pop() noexcept {
    const index height = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    if (height <= top_known_) return nullptr;                      // empty, top only grows
    T* item = nullptr;
    if (pop_above_others(height, item)) [[likely]]
        return item;
    top_known_ = height;
    const bool blindly = mutated<Env>(mutation::deque_pop_last_without_cas);
    return blindly ? static_cast<T*>(slots_.get(height - 1)) : claim(height - 1).item;  // I2
}

template <class Env, class T>
inline bool work_deque<Env, T>::pop_above_others(index height, T*& item) noexcept {
    const index last = height - 1;
    bottom_.store(last, std::memory_order_release);  // P1: still covers the rest
    if (!mutated<Env>(mutation::deque_pop_without_fence)) Env::light_fence();  // P3
    if (top_.load(std::memory_order_relaxed) >= last) [[unlikely]] {           // P3
        bottom_.store(height, std::memory_order_release);                      // P1: as before
        return false;
    }
    item = static_cast<T*>(slots_.get(last));
    return true;
}

template <class Env, class T>
inline T* work_deque<Env, T>::take_front() noexcept {
    const index bottom = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    if (bottom <= top_known_) return nullptr;
    index top = top_.load(std::memory_order_relaxed);  // the owner wrote the slots itself
    while (top < bottom) {
        T* item = static_cast<T*>(slots_.get(top));
        if (top_.compare_exchange_weak(top, top + 1,
                                       std::memory_order_relaxed,     // I2: as in claim
                                       std::memory_order_relaxed)) {  // lost: top was reloaded
            return item;
        }
    }
    top_known_ = bottom;
    return nullptr;
}

template <class Env, class T>
inline bool work_deque<Env, T>::take_front_if(const T* item) noexcept {
    const index bottom = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    if (bottom <= top_known_) return false;
    index top = top_.load(std::memory_order_relaxed);  // the owner wrote the slots itself
    if (top >= bottom || slots_.get(top) != item) return false;
    if (mutated<Env>(mutation::deque_front_if_without_cas)) {
        top_.store(top + 1, std::memory_order_relaxed);  // I2: broken by the planted fault
        return true;
    }
    return top_.compare_exchange_strong(top, top + 1,
                                        std::memory_order_relaxed,   // I2: as in claim
                                        std::memory_order_relaxed);  // lost: nothing is used
}

template <class Env, class T>
inline bool work_deque<Env, T>::is_front(const T* item) const noexcept {
    const index top = top_.load(std::memory_order_relaxed);  // the owner's own store
    return top < bottom_.load(std::memory_order_relaxed) && slots_.get(top) == item;  // the same
}

template <class Env, class T>
inline T* work_deque<Env, T>::take_front_alone() noexcept {
    const index bottom = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    const index top = top_.load(std::memory_order_relaxed);        // the owner's own store
    if (bottom <= top) return nullptr;
    top_.store(top + 1, std::memory_order_relaxed);  // I2: nobody else claims
    return static_cast<T*>(slots_.get(top));
}

template <class Env, class T>
inline bool work_deque<Env, T>::holds_more_than(std::size_t count) const noexcept {
    const index first = bottom_.load(std::memory_order_relaxed) - static_cast<index>(count);  // own
    return top_.load(std::memory_order_relaxed) < first;  // hint
}

template <class Env, class T>
inline const T* work_deque<Env, T>::look_ahead(index places) const noexcept {
    const index top = top_.load(std::memory_order_relaxed);  // hint
    return static_cast<const T*>(slots_.get(top + places));
}

template <class Env, class T>
void work_deque<Env, T>::reserve(std::size_t more) {
    if (more > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
    const index bottom = bottom_.load(std::memory_order_relaxed);  // the owner's own store
    top_known_ = top_.load(std::memory_order_acquire);  // P2: the slots below it were read
    full_at_ = top_known_ + slots_.capacity();
    if (has_room(bottom, static_cast<index>(more))) return;
    const auto needed = static_cast<std::size_t>(bottom - top_known_) + more;
    auto wider = std::make_unique<ring>(needed);
    if (mutated<Env>(mutation::deque_grow_publishes_early)) {
        ring_.store(wider.get(), std::memory_order_release);  // P4: broken by the planted fault
    }
    wider->copy_from(*newest_, top_known_, bottom);
    wider->keep(std::move(newest_));  // I4
    newest_ = std::move(wider);
    slots_ = newest_->slots();
    full_at_ = top_known_ + slots_.capacity();
    ring_.store(newest_.get(), std::memory_order_release);  // P4: the copied slots
}

template <class Env, class T>
stolen<T> work_deque<Env, T>::claim(index top) noexcept {
    const ring* from = ring_.load(std::memory_order_acquire);  // P4: the copied slots
    T* item = static_cast<T*>(from->get(top));
    if (!top_.compare_exchange_strong(top, top + 1,
                                      std::memory_order_release,     // P2: the slot was read
                                      std::memory_order_relaxed)) {  // lost: nothing is used
        return {steal_outcome::lost_race, nullptr, 0};
    }
    return {steal_outcome::item, item, 0};
}

template <class Env, class T>
stolen<T> work_deque<Env, T>::steal() noexcept {
    const index top = top_.load(std::memory_order_acquire);  // P3: read before the fence
    // Why look twice: idle thieves mostly meet empty deques, and the fence is a system call.
    if (bottom_.load(std::memory_order_acquire) <= top) return {};  // P1
    const bool skip = mutated<Env>(mutation::deque_steal_without_fence);
    if (!skip) Env::heavy_fence();  // P3
    if (mutated<Env>(mutation::deque_steal_rereads_top)) return steal_fifo();
    if (bottom_.load(std::memory_order_acquire) <= top) return {};  // P3, P1: the slot
    return claim(top);
}

template <class Env, class T>
stolen<T> work_deque<Env, T>::steal_fifo() noexcept {
    const index top = top_.load(std::memory_order_acquire);         // P2: before the bottom
    if (bottom_.load(std::memory_order_acquire) <= top) return {};  // P1: the slot
    return claim(top);
}

template <class Env, class T>
stolen<T> work_deque<Env, T>::steal_half(owner_handle& into) {
    WEFT_DCHECK(into.deque_ != this, "a deque cannot steal from itself");
    index top = top_.load(std::memory_order_acquire);              // P2: before the bottom
    const index bottom = bottom_.load(std::memory_order_acquire);  // P1: the slots
    if (bottom <= top) return {};
    const index half = (bottom - top + 1) / 2;
    const auto taken = std::min(static_cast<std::size_t>(half), batch_limit);
    into.reserve(taken - 1);                                   // may throw, so before the claim
    const ring* from = ring_.load(std::memory_order_acquire);  // P4: the copied slots
    std::array<T*, batch_limit> items;
    for (std::size_t i = 0; i < taken; ++i) {
        items[i] = static_cast<T*>(from->get(top + static_cast<index>(i)));
    }
    const index less = mutated<Env>(mutation::deque_batch_unclaimed) && taken > 1 ? 1 : 0;
    if (!top_.compare_exchange_strong(top, top + static_cast<index>(taken) - less,
                                      std::memory_order_release,     // P2: the slots were read
                                      std::memory_order_relaxed)) {  // lost: nothing is used
        return {steal_outcome::lost_race, nullptr, 0};
    }
    for (std::size_t i = 1; i < taken; ++i) into.push(items[i]);
    return {steal_outcome::item, items[0], taken - 1};
}

}  // namespace weft::detail
