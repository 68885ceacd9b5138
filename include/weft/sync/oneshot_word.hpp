// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The word of a oneshot: whether something was sent, who waits for it, and which of the two ends
// went last, so that no reference count is needed beside it.
//
// Protocol: oneshot                                       checked by: tests/model/oneshot_model.cpp
// Roles      sender (once, any thread) · receiver (one task at a time) · its canceller
// Word       empty | address of the waiting receive | sent | sender gone | receiver gone
// States     empty ──receive──▶ waiting ──send, or sender dropped──▶ sent | sender gone
//            waiting ──cancel──▶ empty ──receiver dropped──▶ receiver gone
// Invariants O1 whoever replaces the address owns the wake-up: the sender wakes, or the canceller
//            has unlinked and the value, if it comes, stays for the next receive.
//            O5 the end that finds the other one gone frees the block; until then neither touches
//            it after its own last word.
// Edges      O2 sent release → receive acquire: the value
//            O3 waiting release → send acquire: the receive in the frame. A cancelled receive
//               reads nothing.
//            O4 last word of one end release → the other's acquire: every use of the block
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env, class Receive>
class oneshot_word {
public:
    struct settlement {
        bool is_kept;      // false: the receiver is gone, and the block the sender's to free
        Receive* to_wake;  // who waited, or null
    };
    // Sender, once.
    [[nodiscard]] settlement settle(bool with_value) noexcept;

    // Receiver.
    [[nodiscard]] bool is_settled() const noexcept {
        const word now = word_.load(std::memory_order_relaxed);  // has_value() acquires
        return now == sent || now == sender_gone;
    }
    [[nodiscard]] bool has_value() const noexcept {
        return word_.load(std::memory_order_acquire) == sent;  // O2
    }
    enum class wait_result { waits, settled, occupied };
    /// `occupied`: somebody waits already.
    [[nodiscard]] wait_result try_wait(Receive& waiter) noexcept;
    /// Once, the last word. True: the sender is gone, and the block the receiver's to free.
    [[nodiscard]] bool leave() noexcept;

    // Canceller.
    /// False: `waiter` has been or is being woken.
    [[nodiscard]] bool unlink(Receive& waiter) noexcept;

private:
    using word = std::uintptr_t;
    static constexpr word empty = 0, sent = 1, sender_gone = 2, receiver_gone = 3;

    typename Env::template atomic<word> word_{empty};
};

// ---------------------------------------------------------------------------------------------

template <class Env, class Receive>
auto oneshot_word<Env, Receive>::settle(bool with_value) noexcept -> settlement {
    const word now = with_value ? sent : sender_gone;
    const word before = word_.exchange(now, std::memory_order_acq_rel);  // O2 O3 O4
    if (before == receiver_gone) return {false, nullptr};
    return {true, reinterpret_cast<Receive*>(before)};
}

template <class Env, class Receive>
auto oneshot_word<Env, Receive>::try_wait(Receive& waiter) noexcept -> wait_result {
    word before = empty;
    if (word_.compare_exchange_strong(before, reinterpret_cast<word>(&waiter),
                                      std::memory_order_release,     // O3
                                      std::memory_order_relaxed)) {  // O2: has_value() acquires
        return wait_result::waits;
    }
    const bool is_settled = before == sent || before == sender_gone;
    return is_settled ? wait_result::settled : wait_result::occupied;
}

template <class Env, class Receive>
bool oneshot_word<Env, Receive>::unlink(Receive& waiter) noexcept {
    if (mutated<Env>(mutation::oneshot_unlinks_blindly)) {
        word_.store(empty, std::memory_order_relaxed);  // O1: the planted fault itself
        return true;
    }
    word mine = reinterpret_cast<word>(&waiter);
    // No edge: the lifecycle word orders the canceller and the owner, who waits again.
    return word_.compare_exchange_strong(mine, empty, std::memory_order_relaxed,  // O1
                                         std::memory_order_relaxed);              // O1
}

template <class Env, class Receive>
bool oneshot_word<Env, Receive>::leave() noexcept {
    const word now = word_.load(std::memory_order_acquire);  // O4
    // The sender never speaks twice, so it needs no answer.
    if (now == sent || now == sender_gone) return true;
    if (mutated<Env>(mutation::oneshot_leaves_without_a_word)) return false;
    const word before = word_.exchange(receiver_gone, std::memory_order_acq_rel);  // O4
    WEFT_CHECK(before == empty || before == sent || before == sender_gone,
               "a oneshot receiver was destroyed while a task awaits it");
    if (mutated<Env>(mutation::oneshot_frees_before_the_sender)) return true;
    return before != empty;
}

}  // namespace weft::detail
