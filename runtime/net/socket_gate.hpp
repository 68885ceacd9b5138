// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Who uses a socket right now, in one word: it admits one reader and one writer, turns everybody
// away once the socket is closed, and says who of the users is the last and must close the
// descriptor or free the memory. It does no system call.
//
// Protocol: socket gate                                    checked by: tests/model/gate_model.cpp
// Roles      owner (the stream or listener, one) · reader, writer (an operation each, any worker) ·
//            caller (a short system call, any thread) · closer (any thread)
// Word       31..8 callers | 5 finalised | 4 finalising | 3 closed | 2 owner | 1 writer | 0 reader
// States     open ──close──▶ closed with users ──last user──▶ finalising ──▶ finalised
//            finalised ──owner gone──▶ freed
// Invariants I1 one reader and one writer; nobody enters after closed.
//            I2 finalising is entered once: by the step that leaves closed without any user. Only
//               then is the descriptor closed, so its number is never reused under a system call.
//            I3 the step that makes the word exactly closed|finalised, and only that, frees.
// Edges      P1 leave release → finalise acquire: each user's last access, before the close
//            P2 end release → begin acquire: one reader's private fields, to the next reader
//            P3 close release → is_closed acquire: a waiter that was woken sees why
// Races      close() while a reader waits: the closer is a caller itself until it has woken the
//            reader, so the reader cannot finalise under its hands (I2).
//            Owner destroyed while an operation ends: whoever comes last makes the word of I3.
// Shutdown   as above; memory goes with the last of owner and finaliser.
#pragma once

#include <cstdint>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/reactor/io_slot.hpp"

namespace weft::detail {

enum class gate_entry : std::uint8_t { entered, busy, closed };

/// What the caller of a leaving step now owes.
enum class gate_duty : std::uint8_t {
    none,
    finalise,  ///< close the descriptor, then call finish_finalise()
    free,      ///< free the memory: nobody else knows it
};

template <class Env>
class socket_gate {
public:
    /// Operation: claims a direction.
    [[nodiscard]] gate_entry begin(io_direction direction) noexcept;
    [[nodiscard]] gate_duty end(io_direction direction) noexcept { return drop(bit_of(direction)); }

    /// Short system call: keeps the descriptor open until leave_call(). False: closed.
    [[nodiscard]] bool enter_call() noexcept;
    [[nodiscard]] gate_duty leave_call() noexcept { return drop(one_caller); }

    /// True for the first closer, who is a caller from then on: leave_call() ends that.
    [[nodiscard]] bool begin_close() noexcept;
    /// Closes only if nobody but the owner is there; then the caller owes a finalise.
    [[nodiscard]] bool try_close_unused() noexcept;
    [[nodiscard]] gate_duty finish_finalise() noexcept;
    /// Owner, after closing.
    [[nodiscard]] gate_duty drop_owner() noexcept { return drop(owner_bit); }

    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed_bit) != 0;  // P3
    }

private:
    using word = std::uint32_t;
    static constexpr word reader_bit = 1, writer_bit = 2, owner_bit = 4, closed_bit = 8;
    static constexpr word finalising_bit = 16, finalised_bit = 32, one_caller = 256;
    static constexpr word user_mask =
        ~word{owner_bit | closed_bit | finalising_bit | finalised_bit};

    static constexpr word bit_of(io_direction direction) noexcept {
        return direction == io_direction::read ? reader_bit : writer_bit;
    }
    [[nodiscard]] gate_duty drop(word share) noexcept;

    typename Env::template atomic<word> word_{owner_bit};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
gate_entry socket_gate<Env>::begin(io_direction direction) noexcept {
    const word mine = bit_of(direction);
    word seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        if ((seen & closed_bit) != 0) return gate_entry::closed;
        if ((seen & mine) != 0) return gate_entry::busy;
        if (word_.compare_exchange_weak(seen, seen | mine,
                                        std::memory_order_acquire,     // P2: private fields
                                        std::memory_order_relaxed)) {  // a guess again
            return gate_entry::entered;
        }
    }
}

template <class Env>
bool socket_gate<Env>::enter_call() noexcept {
    word seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    while ((seen & closed_bit) == 0) {
        if (word_.compare_exchange_weak(seen, seen + one_caller,
                                        std::memory_order_acquire,     // P2: pairs with leave
                                        std::memory_order_relaxed)) {  // a guess again
            return true;
        }
    }
    return false;
}

template <class Env>
bool socket_gate<Env>::begin_close() noexcept {
    word seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    while ((seen & closed_bit) == 0) {
        if (word_.compare_exchange_weak(seen, (seen | closed_bit) + one_caller,
                                        std::memory_order_acq_rel,     // P3: why it is closed
                                        std::memory_order_relaxed)) {  // a guess again
            return true;
        }
    }
    return false;
}

template <class Env>
bool socket_gate<Env>::try_close_unused() noexcept {
    word expected = owner_bit;
    return word_.compare_exchange_strong(expected, owner_bit | closed_bit | finalising_bit,
                                         std::memory_order_acq_rel,   // P1: earlier users
                                         std::memory_order_relaxed);  // in use: nothing was read
}

template <class Env>
gate_duty socket_gate<Env>::drop(word share) noexcept {
    word seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        word next = seen - share;
        const bool last_user =
            (next & (closed_bit | finalising_bit | finalised_bit)) == closed_bit &&
            (next & user_mask) == 0;
        if (last_user) next |= finalising_bit;
        if (word_.compare_exchange_weak(seen, next,
                                        std::memory_order_acq_rel,     // P1, P2: what this user did
                                        std::memory_order_relaxed)) {  // a guess again
            if (last_user) return gate_duty::finalise;
            return next == (closed_bit | finalised_bit) ? gate_duty::free : gate_duty::none;
        }
    }
}

template <class Env>
gate_duty socket_gate<Env>::finish_finalise() noexcept {
    // finalising becomes finalised: adding the difference of the two bits.
    const word before = word_.fetch_add(finalised_bit - finalising_bit,
                                        std::memory_order_acq_rel);  // P1: the owner's last access
    WEFT_DCHECK((before & finalising_bit) != 0, "a socket is finalised once");
    return before == (closed_bit | finalising_bit) ? gate_duty::free : gate_duty::none;
}

}  // namespace weft::detail
