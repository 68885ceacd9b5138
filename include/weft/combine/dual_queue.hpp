// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A fixed number of items that come in any order, and those who take one each: either items lie
// here or takers wait, never both. (The name: W. N. Scherer III, M. L. Scott, Nonblocking
// Concurrent Data Structures with Condition Synchronization, 2004. This one has a lock.)
//
// Protocol: dual queue                                checked by: tests/model/dual_queue_model.cpp
// Roles      finisher of an item (once) · taker (any number) · its canceller, its timer
// Fields     everything, but what a taker is given → mutex_; that → who takes the taker out, then
//            the taker
// States     of an item: away ──finisher──▶ ready, or ──finisher──▶ given to the oldest taker
//            ready ──taker──▶ given ──confirm/taker──▶ taken, or ──put_back/taker──▶ ready, before
//            all others; away ──finisher, after the deadline──▶ not given to anybody
//            of a taker: waiting ──finisher, canceller, timer or the last taken──▶ on its way
// Invariants K1 a taker leaves the list once, under the mutex, by the one who then wakes it (a
//               canceller: its release of the task). So nobody else touches it afterwards.
//            K2 takers wait only while nothing is ready: the order of waiting is that of results.
//            K3 an item is given to one taker at a time. Who does not want it puts it back.
//            K6 once all are taken nobody waits.
// Edges      the mutex, and the taker's wake-up: what it was given
// Progress   the mutex is held for a few links, never over a wake-up or a call to anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class dual_queue {
public:
    struct item {
        item* next_ready = nullptr;
    };
    enum class result : std::uint8_t { none, item, late, all_taken };

    class taker {
    public:
        [[nodiscard]] result outcome() const noexcept { return result_.load(); }
        /// With result::item.
        [[nodiscard]] item& given() const noexcept { return *item_.load(); }
        /// Of one that was taken out by leave().
        void set_late() noexcept { result_.store(result::late); }

    private:
        friend dual_queue;
        void take(item& got) noexcept {
            item_.store(&got);
            result_.store(result::item);
        }
        taker* next_ = nullptr;
        typename Env::template cell<item*> item_{nullptr};
        typename Env::template cell<result> result_{result::none};
        bool is_waiting_ = false;
    };

    /// `deadline`: what comes later is not given; time_point::max(): none.
    dual_queue(std::size_t items, time_point deadline) noexcept
        : deadline_(deadline), left_(items) {}
    dual_queue(const dual_queue&) = delete;
    dual_queue& operator=(const dual_queue&) = delete;

    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }

    /// An item that is there from the start: before any taker.
    void put_first(item& done) noexcept {
        std::lock_guard guard{mutex_};
        static_cast<void>(pass_on(done, place::last));
    }
    // Finisher, or a taker that was given the item. Each returns the taker that has it now, to be
    // woken; nullptr if there is none.
    [[nodiscard]] taker* put(item& done) noexcept {
        std::lock_guard guard{mutex_};
        return is_late() ? nullptr : pass_on(done, place::last);
    }
    [[nodiscard]] taker* put_back(item& unwanted) noexcept {
        std::lock_guard guard{mutex_};
        return pass_on(unwanted, place::first);
    }

    /// True if the taker has to wait: it is in the list.
    [[nodiscard]] bool take_or_wait(taker& one) noexcept;
    /// Takes a waiting one out; false if somebody else has.
    [[nodiscard]] bool leave(taker& one) noexcept;
    /// Of one that keeps what it was given. wake(taker) is called, without the lock, for each that
    /// waits although nothing will come.
    template <class Wake>
    void confirm(Wake wake) noexcept;

    // Looker.
    /// Items that are not taken.
    [[nodiscard]] std::size_t left() noexcept {
        std::lock_guard guard{mutex_};
        return left_;
    }
    /// Does not wait: see(taker) under the lock, for the one that waits longest; not where others
    /// are at the queue just now.
    template <class See>
    void try_see_oldest(See see) noexcept {
        const std::unique_lock guard{mutex_, std::try_to_lock};
        if (guard.owns_lock() && first_taker_ != nullptr) see(*first_taker_);
    }

private:
    enum class place : bool { last, first };
    [[nodiscard]] taker* pass_on(item& done, place among_ready) noexcept;
    [[nodiscard]] taker* pop_taker() noexcept;
    /// By the clock, not by a timer's turn: so it is the same for those who wait and for others.
    [[nodiscard]] bool is_late() noexcept {
        if (!is_late_ && deadline_ != time_point::max()) is_late_ = Env::now() >= deadline_;
        return is_late_;
    }

    const time_point deadline_;
    typename Env::mutex mutex_;
    item* first_ready_ = nullptr;
    item* last_ready_ = nullptr;
    taker* first_taker_ = nullptr;
    taker* last_taker_ = nullptr;
    std::size_t left_;  // not taken
    bool is_late_ = false;
};

// ---------------------------------------------------------------------------------------------

template <class Env>
auto dual_queue<Env>::pass_on(item& done, place among_ready) noexcept -> taker* {
    const bool looks =
        among_ready == place::last || !mutated<Env>(mutation::dual_puts_back_without_look);
    if (taker* const one = looks ? pop_taker() : nullptr) {  // K2
        one->take(done);
        return one;
    }
    if (among_ready == place::first || first_ready_ == nullptr) {
        done.next_ready = std::exchange(first_ready_, &done);
        if (last_ready_ == nullptr) last_ready_ = &done;
    } else {
        last_ready_->next_ready = &done;
        last_ready_ = &done;
    }
    return nullptr;
}

template <class Env>
auto dual_queue<Env>::pop_taker() noexcept -> taker* {
    taker* const one = first_taker_;
    if (one == nullptr) return nullptr;
    first_taker_ = std::exchange(one->next_, nullptr);
    if (first_taker_ == nullptr) last_taker_ = nullptr;
    one->is_waiting_ = false;
    return one;
}

template <class Env>
bool dual_queue<Env>::take_or_wait(taker& one) noexcept {
    std::lock_guard guard{mutex_};
    if (item* const ready = first_ready_) {
        first_ready_ = std::exchange(ready->next_ready, nullptr);
        if (first_ready_ == nullptr) last_ready_ = nullptr;
        one.take(*ready);
        return false;
    }
    if (left_ == 0 || is_late()) {
        one.result_.store(left_ == 0 ? result::all_taken : result::late);
        return false;
    }
    (first_taker_ == nullptr ? first_taker_ : last_taker_->next_) = &one;
    last_taker_ = &one;
    one.is_waiting_ = true;
    return true;
}

template <class Env>
bool dual_queue<Env>::leave(taker& one) noexcept {
    std::lock_guard guard{mutex_};
    if (!one.is_waiting_) return mutated<Env>(mutation::dual_leaves_twice);  // K1
    taker* before = nullptr;
    for (taker* at = first_taker_; at != &one; at = at->next_) before = at;
    (before == nullptr ? first_taker_ : before->next_) = std::exchange(one.next_, nullptr);
    if (last_taker_ == &one) last_taker_ = before;
    one.is_waiting_ = false;
    return true;
}

template <class Env>
template <class Wake>
void dual_queue<Env>::confirm(Wake wake) noexcept {
    std::unique_lock guard{mutex_};
    if (--left_ != 0) return;
    while (taker* const one = pop_taker()) {  // K6
        one->result_.store(result::all_taken);
        guard.unlock();
        wake(*one);
        if (mutated<Env>(mutation::dual_tells_one_of_the_end)) return;
        guard.lock();
    }
}

}  // namespace weft::detail
