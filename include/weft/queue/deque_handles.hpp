// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The two ends of a work deque (work_deque.hpp), for those who may use them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "weft/queue/stolen.hpp"
#include "weft/queue/thief_turn.hpp"

namespace weft::detail {

template <class Env, class T>
class work_deque;

enum class push_result : std::uint8_t {
    no_room,       ///< nothing was pushed, or called: first reserve()
    alone,         ///< nothing lay there before
    above_others,  ///< a hint: a thief may have taken those just now
};

/// The owner's end. Movable to the thread that is to own; used by one thread at a time.
template <class Env, class T>
class deque_owner {
public:
    deque_owner(deque_owner&& other) noexcept : deque_(other.deque_) { other.deque_ = nullptr; }
    deque_owner& operator=(deque_owner&& other) noexcept {
        std::swap(deque_, other.deque_);
        return *this;
    }
    /// `item` is not null. Throws std::bad_alloc, and changes nothing then, only when it must grow.
    void push(T* item) { deque_->push(item); }
    /// False: there may be no room; push() looks, and grows if that is so.
    [[nodiscard]] bool try_push(T* item) noexcept { return deque_->try_push(item); }
    /// `count` items at once, the oldest first: each(height(), put) calls put(item) for all of
    /// them, before a thief can see any.
    template <class Each>
    [[nodiscard]] push_result try_push_all(std::size_t count, Each&& each) noexcept {
        return deque_->try_push_all(count, std::forward<Each>(each));
    }
    /// The next `more` pushes do not grow, as long as nothing else is pushed. Throws bad_alloc.
    void reserve(std::size_t more) { deque_->reserve(more); }
    /// The newest item or nullptr. Makes this a lifo deque.
    [[nodiscard]] T* pop() noexcept { return deque_->pop(); }
    /// The same for one that lies above others; false if a thief may want it as well, or has had
    /// it. Where the owner has pushed something since the start; `height` is the deque's.
    [[nodiscard]] bool pop_above_others(std::int64_t height, T*& item) noexcept {
        return deque_->pop_above_others(height, item);
    }
    /// The oldest item or nullptr; costs a CAS. On lifo and fifo deques alike.
    [[nodiscard]] T* take_front() noexcept { return deque_->take_front(); }
    /// Whether it was the oldest, and was taken.
    [[nodiscard]] bool take_front_if(const T* item) noexcept { return deque_->take_front_if(item); }
    /// The same where no thief exists: plain reads and writes.
    [[nodiscard]] T* take_front_alone() noexcept { return deque_->take_front_alone(); }
    [[nodiscard]] bool take_front_alone_if(const T* item) noexcept {
        return deque_->is_front(item) && take_front_alone() != nullptr;
    }
    /// The item that lay `places` behind the oldest when there were more than that many. Only to be
    /// fetched into the cache: a thief may have it.
    [[nodiscard]] const T* look_ahead(std::int64_t places) const noexcept {
        return deque_->look_ahead(places);
    }
    [[nodiscard]] bool is_empty() const noexcept { return deque_->is_empty(); }
    /// Grows by one with each push, and shrinks with each pop that gives something but the last.
    [[nodiscard]] std::int64_t height() const noexcept {
        return deque_->bottom_.load(std::memory_order_relaxed);  // the owner's own store
    }
    /// After `count` pushes in a row: whether older items lay below them, by a hint: a thief may
    /// have taken them just now.
    [[nodiscard]] bool holds_more_than(std::size_t count) const noexcept {
        return deque_->holds_more_than(count);
    }

private:
    friend work_deque<Env, T>;
    explicit deque_owner(work_deque<Env, T>& deque) noexcept : deque_(&deque) {}
    work_deque<Env, T>* deque_;
};

/// The right to steal: any thread, any number of copies, valid as long as the deque.
template <class Env, class T>
class deque_thief {
public:
    /// The oldest item. Right on every deque; pays the heavy fence when the deque is not empty.
    [[nodiscard]] stolen<T> steal() const noexcept { return deque_->steal(); }
    /// The same, unless another thief has the turn: then a deque that is not empty is left alone.
    /// Where the fence costs no system call there are no turns.
    [[nodiscard]] stolen<T> steal(thief_turn<Env>& turn) const noexcept;
    /// The oldest item, without a fence. Only for a deque whose owner never pops.
    [[nodiscard]] stolen<T> steal_fifo() const noexcept { return deque_->steal_fifo(); }
    /// Up to half of a deque whose owner never pops, at most batch_limit: the oldest is returned,
    /// the others are pushed, oldest first, to `into`, the caller's own deque. Throws
    /// std::bad_alloc before anything is taken.
    [[nodiscard]] stolen<T> steal_half(deque_owner<Env, T>& into) const {
        return deque_->steal_half(into);
    }
    [[nodiscard]] bool is_empty() const noexcept { return deque_->is_empty(); }

private:
    friend work_deque<Env, T>;
    explicit deque_thief(work_deque<Env, T>& deque) noexcept : deque_(&deque) {}
    work_deque<Env, T>* deque_;
};

// ---------------------------------------------------------------------------------------------

template <class Env, class T>
stolen<T> deque_thief<Env, T>::steal(thief_turn<Env>& turn) const noexcept {
    if (!Env::has_asymmetric_fence()) return deque_->steal();
    if (deque_->is_empty()) return {};  // no turn is needed to see that
    if (!turn.try_take()) return {steal_outcome::not_in_turn, nullptr, 0};
    const stolen<T> got = deque_->steal();
    turn.give_back();
    return got;
}

}  // namespace weft::detail
