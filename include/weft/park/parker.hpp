// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How one worker sleeps and how others wake it. The worker waits either on the futex here or in its
// poller (epoll), and says which before it does; a waker learns from unpark() whether it still owes
// a write to the poller's wake descriptor. Who is woken, and when, is decided by idle_set.
//
// Protocol: parker                                         checked by: tests/model/park_model.cpp
// Roles      sleeper (one worker) · waker (any thread)
// Word       running | parked_futex | parked_poll | notified: a 32-bit futex
// States     running ──park/sleeper──▶ parked_futex | parked_poll ──unpark/waker──▶ notified
//            running ──unpark/waker──▶ notified (the token is kept)
//            notified ──park, finish_poll, clear_token/sleeper──▶ running (the token is consumed)
//            parked ──deadline or event/sleeper──▶ running
// Invariants I1 an unpark() is never lost: after it the word is notified until the sleeper consumes
//               the token, so a park that begins later returns at once. Tokens do not add up.
//            I2 only the sleeper leaves `notified`, only the sleeper enters a parked state.
// Edges      P1 unpark exchange release → consuming exchange acquire: what the waker did before,
//               whether or not there is a token already (the duty roster's R3 rests on that)
// Races      The sleeper's deadline passes while a waker calls unpark(): both exchange the word,
//            the sleeper goes second and sees the token, or first and finds it the next time (I1).
//            The waker reads parked_poll, but the poller returns for another reason before the
//            wake descriptor is written: the write makes a later poll return early, once.
//            A token may come after the sleeper no longer needs it (idle_set: it was claimed while
//            it re-scanned): the next park returns early, once. So a token means "look again at
//            every source", never "there is work", and a consumer always looks before it parks.
// Progress   No store-load pair: sleeper and waker meet on one word with read-modify-writes. That
//            the waker looks for sleepers at all is idle_set's P1.
// Shutdown   unpark() touches the word after the sleeper may have run on: parkers die only when
//            every possible waker is joined.
// Rejected   condition variables (glibc 2.36 can lose a signal); one word for all workers (wakes
//            more than one).
#pragma once

#include <cstdint>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

enum class park_result : std::uint8_t { notified, timed_out };

/// What unpark() found, and what its caller owes.
enum class unpark_result : std::uint8_t {
    stored,          ///< it was awake or already notified: nothing
    woke_futex,      ///< it slept on the futex and was woken: nothing
    must_wake_poll,  ///< it waits in its poller: write the wake descriptor
};

template <class Env>
class parker {
public:
    parker() = default;
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    /// Sleeper. Sleeps until notified or until `deadline` (time_point::max(): none); returns at
    /// once when a token is there. Never returns early for another reason. `notified` consumes it.
    [[nodiscard]] park_result park_futex(time_point deadline) noexcept;

    /// Sleeper, before it waits in its poller. False: a token was there and is consumed, do not
    /// wait. True: wait, then call finish_poll().
    [[nodiscard]] bool prepare_poll() noexcept;
    /// Sleeper, after the poller returned. True: it was notified, the token is consumed.
    bool finish_poll() noexcept;

    /// Sleeper, awake: consumes a token if there is one. The caller looks at every source next.
    bool clear_token() noexcept;

    /// Any thread: leaves a token and wakes the sleeper.
    [[nodiscard]] unpark_result unpark() noexcept;

    /// Any thread, a hint: for tests and statistics.
    [[nodiscard]] bool is_parked() const noexcept;

private:
    enum state : std::uint32_t { running, parked_futex, parked_poll, notified };
    static_assert(sizeof(typename Env::template atomic<std::uint32_t>) >= 4);

    [[nodiscard]] bool begin_park(state how) noexcept;
    [[nodiscard]] bool leave() noexcept;

    typename Env::template atomic<std::uint32_t> word_{running};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
bool parker<Env>::begin_park(state how) noexcept {
    std::uint32_t seen = running;
    if (mutated<Env>(mutation::parker_parks_over_token)) {
        word_.store(how, std::memory_order_release);  // I1: the planted fault breaks it
        return true;
    }
    if (word_.compare_exchange_strong(seen, how, std::memory_order_relaxed,  // nothing to publish
                                      std::memory_order_relaxed)) {          // leave() acquires
        return true;
    }
    WEFT_DCHECK(seen == notified, "a worker parked twice");
    static_cast<void>(leave());
    return false;
}

/// Back to running; true if that consumed a token.
template <class Env>
bool parker<Env>::leave() noexcept {
    return word_.exchange(running, std::memory_order_acquire) == notified;  // P1
}

template <class Env>
park_result parker<Env>::park_futex(time_point deadline) noexcept {
    if (!begin_park(parked_futex)) return park_result::notified;
    // A hint only: leave() reads the word again and acquires.
    while (word_.load(std::memory_order_relaxed) == parked_futex) {  // P1 is in leave()
        if (!Env::futex_wait(word_, parked_futex, deadline)) break;
    }
    return leave() ? park_result::notified : park_result::timed_out;
}

template <class Env>
bool parker<Env>::prepare_poll() noexcept {
    return begin_park(parked_poll);
}

template <class Env>
bool parker<Env>::finish_poll() noexcept {
    return leave();
}

template <class Env>
bool parker<Env>::clear_token() noexcept {
    if (word_.load(std::memory_order_relaxed) != notified) return false;  // leave() acquires
    return leave();
}

template <class Env>
unpark_result parker<Env>::unpark() noexcept {
    if (mutated<Env>(mutation::parker_wakes_first)) Env::futex_wake(word_, 1);
    if (mutated<Env>(mutation::parker_token_only_if_parked) && !is_parked()) {
        return unpark_result::stored;
    }
    switch (word_.exchange(notified, std::memory_order_release)) {  // P1: what the waker did
        case parked_futex:
            if (!mutated<Env>(mutation::parker_wakes_first)) Env::futex_wake(word_, 1);
            return unpark_result::woke_futex;
        case parked_poll:
            return unpark_result::must_wake_poll;
        default:
            return unpark_result::stored;
    }
}

template <class Env>
bool parker<Env>::is_parked() const noexcept {
    const std::uint32_t seen = word_.load(std::memory_order_relaxed);  // hint: no edge
    return seen == parked_futex || seen == parked_poll;
}

extern template class parker<real_environment>;

}  // namespace weft::detail
