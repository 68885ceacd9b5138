// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The timer arithmetic of one worker: a hierarchical wheel. It is told the time and says what is
// due; it reads no clock, holds no lock, has no atomics and allocates nothing. Insertion and
// removal are O(1); an entry moves down at most once a level before it is due. Source of the idea:
// Varghese and Lauck, Hashed and hierarchical timing wheels (SOSP 1987).
//
// Structure  Level l has 64 slots of 64^l ticks each, a tick is 2^14 ns. Nine levels hold every
//            int64 deadline, so nothing is clamped. The level of an entry is that of the highest
//            base-64 digit in which its tick differs from the current tick.
// Invariants I1 the level and slot of an entry are a function of its tick and the current tick:
//               whoever changes the current tick moves the entries of which this stops being true.
//               So equal deadlines are always in one slot, in the order of insertion.
//            I2 above level 0 only slots after the current digit are occupied, at level 0 the
//               current one too. So slots never wrap, and the first occupied slot of the lowest
//               occupied level has the earliest entries of all.
//            I3 an entry that was late already when armed is in the slot of the current tick.
//            I4 a slot's `earliest` is at most the deadline of each of its entries, and not before
//               the slot's first tick unless by I3. Removal does not raise it.
// Why exact  Ticks only sort. Firing compares exact deadlines, so nothing fires early, and nothing
//            later than the first expire() after its deadline.
// Rejected   a binary heap: O(log n) and cache misses for arm and cancel, and almost all timers
//            are cancelled; recomputing `earliest` at removal: O(slot) for what is asked once a
//            park, and costs at most one early wake-up, after which the slot is divided or exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "weft/base/check.hpp"
#include "weft/wheel/timer_entry.hpp"

namespace weft::detail {

class timer_wheel {
public:
    using time_point = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    static constexpr int tick_shift = 14;  ///< a tick is 2^14 ns = 16.4 us

    /// Starts at `now_ns`, which need not be exact: entries before it are due at once.
    explicit timer_wheel(std::int64_t now_ns = 0) noexcept : current_(tick_of(now_ns)) {}
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    /// Arms `entry`, which is not armed and not on a list of due ones. Any deadline is fine.
    void insert(timer_entry& entry, std::int64_t deadline_ns) noexcept;
    void insert(timer_entry& entry, time_point deadline) noexcept {
        insert(entry, deadline.time_since_epoch().count());
    }
    /// Disarms `entry`. False: it was not armed (never, or it is due or fired already).
    bool remove(timer_entry& entry) noexcept;

    /// No entry is due before this: the earliest deadline, exact unless that entry was removed, and
    /// never late. `never` where nothing is armed. O(1).
    [[nodiscard]] std::int64_t next_deadline() const noexcept;
    [[nodiscard]] time_point next_deadline_time() const noexcept {
        return time_point(std::chrono::nanoseconds(next_deadline()));
    }

    /// Disarms all entries with deadline <= now_ns and appends them to `due`, by deadline, equal
    /// ones as inserted. Returns how many. Time that goes backwards is allowed and fires nothing
    /// early. `expire(never, ..)` empties the wheel.
    std::size_t expire(std::int64_t now_ns, timer_list& due) noexcept;
    std::size_t expire(time_point now, timer_list& due) noexcept {
        return expire(now.time_since_epoch().count(), due);
    }

    [[nodiscard]] bool is_empty() const noexcept { return levels_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    using tick = std::uint64_t;
    static constexpr int digit_bits = 6;
    static constexpr std::size_t slots_of_level = 64;
    static constexpr std::size_t level_count = 9;
    static_assert(level_count * digit_bits + tick_shift >= 63, "every deadline has a level");

    struct slot {
        timer_entry* head = nullptr;  // a ring: head->previous_ is the last
        std::int64_t earliest = 0;    // I4; meaningless while empty
    };
    struct position {
        std::size_t level;
        std::size_t digit;
        [[nodiscard]] std::size_t place() const noexcept { return level * slots_of_level + digit; }
    };

    [[nodiscard]] static tick tick_of(std::int64_t ns) noexcept {
        return ns < 0 ? 0 : static_cast<tick>(ns >> tick_shift);
    }
    [[nodiscard]] position position_of(std::int64_t deadline_ns) const noexcept;
    [[nodiscard]] position first_occupied() const noexcept;
    [[nodiscard]] tick first_tick_of(position at) const noexcept;
    void link(timer_entry& entry, position at) noexcept;
    [[nodiscard]] timer_entry* take_slot(position at) noexcept;
    void cascade(position at) noexcept;
    std::size_t expire_slot(position at, std::int64_t now_ns, timer_list& due) noexcept;

    tick current_;
    std::uint32_t levels_ = 0;  // bit l: level l has an occupied slot
    std::size_t size_ = 0;
    std::array<std::uint64_t, level_count> occupied_{};  // bit d: slot d is not empty
    std::array<slot, level_count * slots_of_level> slots_{};
};

// ---------------------------------------------------------------------------------------------

inline timer_wheel::position timer_wheel::position_of(std::int64_t deadline_ns) const noexcept {
    const tick at = std::max(tick_of(deadline_ns), current_);  // I3
    const auto highest = static_cast<std::size_t>(std::bit_width((at ^ current_) | 1) - 1);
    const std::size_t level = highest / digit_bits;
    return {level, static_cast<std::size_t>(at >> (level * digit_bits)) % slots_of_level};
}

inline void timer_wheel::link(timer_entry& entry, position at) noexcept {
    slot& into = slots_[at.place()];
    entry.place_ = static_cast<std::uint16_t>(at.place());
    if (into.head == nullptr) {
        entry.next_ = entry.previous_ = &entry;
        into.head = &entry;
        into.earliest = entry.deadline_;
        occupied_[at.level] |= std::uint64_t{1} << at.digit;
        levels_ |= std::uint32_t{1} << at.level;
        return;
    }
    timer_entry* last = into.head->previous_;
    entry.next_ = into.head;
    entry.previous_ = last;
    last->next_ = &entry;
    into.head->previous_ = &entry;
    into.earliest = std::min(into.earliest, entry.deadline_);
}

inline void timer_wheel::insert(timer_entry& entry, std::int64_t deadline_ns) noexcept {
    WEFT_DCHECK(!entry.is_armed(), "a timer was armed twice");
    entry.deadline_ = deadline_ns;
    link(entry, position_of(deadline_ns));
    ++size_;
}

inline bool timer_wheel::remove(timer_entry& entry) noexcept {
    if (!entry.is_armed()) return false;
    slot& from = slots_[entry.place_];
    if (entry.next_ == &entry) {
        const position at{entry.place_ / slots_of_level, entry.place_ % slots_of_level};
        static_cast<void>(take_slot(at));
    } else {
        entry.previous_->next_ = entry.next_;
        entry.next_->previous_ = entry.previous_;
        if (from.head == &entry) from.head = entry.next_;
    }
    entry.place_ = timer_entry::unarmed;
    --size_;
    return true;
}

/// Empties a slot; what was its ring is the caller's to walk.
inline timer_entry* timer_wheel::take_slot(position at) noexcept {
    timer_entry* ring = slots_[at.place()].head;
    slots_[at.place()].head = nullptr;
    occupied_[at.level] &= ~(std::uint64_t{1} << at.digit);
    if (occupied_[at.level] == 0) levels_ &= ~(std::uint32_t{1} << at.level);
    return ring;
}

}  // namespace weft::detail
