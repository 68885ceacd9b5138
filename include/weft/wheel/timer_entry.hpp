// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a timer wheel links: an intrusive entry, to be embedded in whatever waits, and the list on
// which the wheel hands out what is due. Neither is thread-safe; whoever guards the wheel guards
// its entries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// One timer. Stays where it is while armed; trivially destructible, so its owner sees to it that
/// it is not armed when it dies.
struct timer_entry {
    timer_entry() = default;
    timer_entry(const timer_entry&) = delete;
    timer_entry& operator=(const timer_entry&) = delete;

    /// In a wheel: neither due nor removed yet.
    [[nodiscard]] bool is_armed() const noexcept { return place_ != unarmed; }
    /// Nanoseconds since the clock's epoch, exactly as armed.
    [[nodiscard]] std::int64_t deadline() const noexcept { return deadline_; }

private:
    friend class timer_wheel;
    friend class timer_list;
    static constexpr std::uint16_t unarmed = 0xffff;

    timer_entry* next_ = nullptr;  // armed: a ring through the slot;  due: the list
    timer_entry* previous_ = nullptr;
    std::int64_t deadline_ = 0;
    std::uint16_t place_ = unarmed;  // the slot's number
};

/// Entries that are due, first to fire first. Does not own them.
class timer_list {
public:
    [[nodiscard]] bool is_empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] timer_entry* front() const noexcept { return head_; }

    /// Unlinks the first entry, which may then be armed again or destroyed; nullptr if empty.
    timer_entry* pop_front() noexcept {
        timer_entry* first = head_;
        if (first == nullptr) return nullptr;
        head_ = first->next_;
        if (head_ == nullptr) tail_ = nullptr;
        first->next_ = nullptr;
        return first;
    }

private:
    friend class timer_wheel;
    void push_back(timer_entry& entry) noexcept {
        entry.next_ = nullptr;
        (tail_ == nullptr ? head_ : tail_->next_) = &entry;
        tail_ = &entry;
    }
    /// Appends all of `other`.
    void splice_back(timer_list& other) noexcept;
    /// Stable: equal deadlines keep their order. O(n) where sorted already, else O(n log n).
    void sort_by_deadline() noexcept;
    [[nodiscard]] bool is_sorted() const noexcept;
    [[nodiscard]] static timer_entry* merge(timer_entry* earlier, timer_entry* later) noexcept;

    timer_entry* head_ = nullptr;
    timer_entry* tail_ = nullptr;
};

}  // namespace weft::detail
