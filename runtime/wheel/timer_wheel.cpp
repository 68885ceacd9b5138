// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/wheel/timer_wheel.hpp"

#include <utility>

namespace weft::detail {

timer_wheel::position timer_wheel::first_occupied() const noexcept {
    const auto level = static_cast<std::size_t>(std::countr_zero(levels_));
    return {level, static_cast<std::size_t>(std::countr_zero(occupied_[level]))};
}

timer_wheel::tick timer_wheel::first_tick_of(position at) const noexcept {
    const std::size_t shift = at.level * digit_bits;
    const tick above = (current_ >> (shift + digit_bits)) << (shift + digit_bits);  // I1
    return above | (tick{at.digit} << shift);
}

std::int64_t timer_wheel::next_deadline() const noexcept {
    if (levels_ == 0) return never;
    return slots_[first_occupied().place()].earliest;  // I2, I4
}

std::size_t timer_wheel::expire(std::int64_t now_ns, timer_list& due) noexcept {
    const tick target = std::max(tick_of(now_ns), current_);
    std::size_t count = 0;
    while (levels_ != 0) {
        const position at = first_occupied();
        const tick first = first_tick_of(at);
        if (first > target) break;
        current_ = first;  // I1: only the entries of `at` have another position now
        if (at.level > 0) {
            cascade(at);
            continue;
        }
        count += expire_slot(at, now_ns, due);
        if (first == target) break;  // what is left there is due later within this tick
    }
    current_ = target;  // I1: nothing is occupied up to here, so no position changes
    return count;
}

/// The current tick has reached the first of this slot: its entries move to lower levels.
void timer_wheel::cascade(position at) noexcept {
    timer_entry* const ring = take_slot(at);
    ring->previous_->next_ = nullptr;
    for (timer_entry *entry = ring, *next = nullptr; entry != nullptr; entry = next) {
        next = entry->next_;
        link(*entry, position_of(entry->deadline_));  // in order of the ring: I1
    }
}

std::size_t timer_wheel::expire_slot(position at, std::int64_t now_ns, timer_list& due) noexcept {
    timer_entry* const ring = take_slot(at);
    ring->previous_->next_ = nullptr;
    timer_list fired;
    std::size_t count = 0;
    for (timer_entry *entry = ring, *next = nullptr; entry != nullptr; entry = next) {
        next = entry->next_;
        if (entry->deadline_ > now_ns) {
            link(*entry, at);
            continue;
        }
        entry->place_ = timer_entry::unarmed;
        fired.push_back(*entry);
        ++count;
    }
    size_ -= count;
    fired.sort_by_deadline();
    due.splice_back(fired);
    return count;
}

void timer_list::splice_back(timer_list& other) noexcept {
    if (other.head_ == nullptr) return;
    (tail_ == nullptr ? head_ : tail_->next_) = other.head_;
    tail_ = other.tail_;
    other.head_ = other.tail_ = nullptr;
}

bool timer_list::is_sorted() const noexcept {
    if (head_ == nullptr) return true;
    for (timer_entry* entry = head_; entry->next_ != nullptr; entry = entry->next_) {
        if (entry->next_->deadline_ < entry->deadline_) return false;
    }
    return true;
}

/// `earlier` holds what was inserted before `later` and wins ties.
timer_entry* timer_list::merge(timer_entry* earlier, timer_entry* later) noexcept {
    timer_entry* head = nullptr;
    timer_entry** end = &head;
    while (earlier != nullptr && later != nullptr) {
        timer_entry*& first = later->deadline_ < earlier->deadline_ ? later : earlier;
        *end = first;
        end = &first->next_;
        first = *end;
    }
    *end = earlier != nullptr ? earlier : later;
    return head;
}

void timer_list::sort_by_deadline() noexcept {
    if (is_sorted()) return;
    // Bottom-up merge sort: runs[i] is null or a sorted run of 2^i entries, older than runs[i-1].
    std::array<timer_entry*, 48> runs{};
    for (timer_entry *entry = head_, *next = nullptr; entry != nullptr; entry = next) {
        next = entry->next_;
        entry->next_ = nullptr;
        timer_entry* run = entry;
        std::size_t i = 0;
        for (; runs[i] != nullptr; ++i) run = merge(std::exchange(runs[i], nullptr), run);
        runs[i] = run;
    }
    timer_entry* sorted = nullptr;
    for (timer_entry* run : runs) {
        if (run != nullptr) sorted = merge(run, sorted);
    }
    head_ = tail_ = sorted;
    while (tail_->next_ != nullptr) tail_ = tail_->next_;
}

}  // namespace weft::detail
