// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The readiness of one direction (reading or writing) of one descriptor, as one word. An operation
// that got EAGAIN prepares to wait here; the thread that polls the kernel reports events here. The
// word remembers one event, so an event before the wait is not lost. It does no system call, wakes
// nobody itself (it returns the waiter to wake) and never allocates.
//
// Protocol: readiness word                              checked by: tests/model/readiness_model.cpp
// Roles      operation (one at a time) · poller (any thread) · closer (once)
// Word       63..3 waiter | 2 hang-up | 1 closed | 0 ready
// Fields     io_waiter → owned by the operation while it is not in the word; by whoever took it out
//            of the word until its wake function has been called
// States     empty ──mark_ready──▶ ready ──prepare──▶ empty
//            empty ──prepare──▶ waiter ──mark_ready/poller──▶ empty (the waiter is handed out)
//                               waiter ──cancel/anyone──▶ empty
//            any ──close──▶ closed ──reopen──▶ empty;  hang-up is set once and kept until reopen
// Invariants I1 one taker: a waiter leaves the word through exactly one successful exchange, and
//               only the thread that made it may wake or release the waiter.
//            I2 no lost event: after mark_ready the word is ready or closed, or a waiter was handed
//               out. An operation that was handed out and then decides not to look at the
//               descriptor (it was cancelled) calls mark_ready again: it gives the event back.
//            I3 a false `ready` is harmless: it costs one system call that says EAGAIN.
// Edges      P1 prepare release → mark_ready/cancel/close acquire: the waiter's fields
//            P2 mark_ready release → prepare acquire: what the poller did before, hang-up included
//            P3 close release → prepare/is_closed acquire: the closer's stores
// Races      The event arrives between EAGAIN and prepare: the word is ready, prepare consumes it
//            and the operation tries again (I2). An event for the previous descriptor of a reused
//            slot slips past the generation check: I3. A cancel meets an event: one exchange wins
//            (I1); the loser of cancel() must leave the waiter alone until its wake has run.
// Progress   mark_ready is a loop of exchanges that fails only when another role moved the word;
//            at most four moves can meet it.
// Shutdown   close hands out the waiter, every later prepare says closed, events are dropped.
// Rejected   A tick counter per event (tokio): needed only when ready outlives the read. Here
//            prepare consumes ready before the next system call, so no event can be cleared late.
#pragma once

#include <cstdint>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"

namespace weft::detail {

/// What waits for one direction. `wake` is called once, by the thread that took the waiter out of
/// its word, after which neither the word nor the caller touches the waiter again.
struct alignas(8) io_waiter {
    void (*wake)(io_waiter*) noexcept = nullptr;
};

enum class io_prepare : std::uint8_t {
    ready,    ///< an event was pending and is consumed: try the system call again
    waiting,  ///< the waiter is in the word: it will be woken, or cancel() takes it back
    busy,     ///< another waiter is there: this direction has its operation already
    closed,   ///< the descriptor is being closed
};

template <class Env>
class readiness_word {
public:
    /// Operation: consumes a pending event or installs `waiter`.
    [[nodiscard]] io_prepare prepare(io_waiter* waiter) noexcept;

    /// Operation or canceller: true when `waiter` was still in the word and now is not. False: it
    /// was handed out, its wake has run or is about to.
    [[nodiscard]] bool cancel(io_waiter* waiter) noexcept;

    /// Poller: records an event. Returns the waiter that the caller must wake, or null.
    [[nodiscard]] io_waiter* mark_ready(bool hang_up) noexcept;

    /// Closer: from now on prepare() says closed. Returns the waiter that the caller must wake.
    [[nodiscard]] io_waiter* close() noexcept;

    /// Owner of a slot that nobody can reach yet: back to empty.
    void reopen() noexcept { word_.store(0, std::memory_order_relaxed); }  // slab mutex publishes

    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed_bit) != 0;  // P3: closer's stores
    }
    /// The kernel reported an end (peer closed, error): "no more data now" cannot be inferred from
    /// a short read any more, because no further event may follow.
    [[nodiscard]] bool has_hang_up() const noexcept {
        return (word_.load(std::memory_order_acquire) & hang_up_bit) != 0;  // P2: the hang-up bit
    }

private:
    static constexpr std::uintptr_t ready_bit = 1;
    static constexpr std::uintptr_t closed_bit = 2;
    static constexpr std::uintptr_t hang_up_bit = 4;
    static constexpr std::uintptr_t flag_bits = 7;

    [[nodiscard]] static io_waiter* waiter_of(std::uintptr_t word) noexcept {
        return reinterpret_cast<io_waiter*>(word & ~flag_bits);
    }

    typename Env::template atomic<std::uintptr_t> word_{0};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
io_prepare readiness_word<Env>::prepare(io_waiter* waiter) noexcept {
    const auto pointer = reinterpret_cast<std::uintptr_t>(waiter);
    WEFT_DCHECK(waiter != nullptr && (pointer & flag_bits) == 0, "a waiter is aligned to 8 bytes");
    std::uintptr_t seen = word_.load(std::memory_order_acquire);  // P3: closed is final
    for (;;) {
        if ((seen & closed_bit) != 0) return io_prepare::closed;
        if (waiter_of(seen) != nullptr) return io_prepare::busy;
        const bool was_ready = (seen & ready_bit) != 0;
        const std::uintptr_t next = was_ready ? (seen & ~ready_bit) : (seen | pointer);
        if (word_.compare_exchange_weak(seen, next,
                                        std::memory_order_acq_rel,     // P1: waiter; P2: event
                                        std::memory_order_acquire)) {  // P3: closed is final
            return was_ready ? io_prepare::ready : io_prepare::waiting;
        }
    }
}

template <class Env>
bool readiness_word<Env>::cancel(io_waiter* waiter) noexcept {
    std::uintptr_t seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    while (waiter_of(seen) == waiter) {
        if (word_.compare_exchange_weak(seen, seen & flag_bits,
                                        std::memory_order_acquire,     // P1: waiter's fields
                                        std::memory_order_relaxed)) {  // a guess again
            return true;
        }
    }
    return false;
}

template <class Env>
io_waiter* readiness_word<Env>::mark_ready(bool hang_up) noexcept {
    const std::uintptr_t end = hang_up ? hang_up_bit : 0;
    std::uintptr_t seen = word_.load(std::memory_order_relaxed);  // a guess: the exchange decides
    for (;;) {
        if ((seen & closed_bit) != 0) return nullptr;
        io_waiter* const waiter = waiter_of(seen);
        const std::uintptr_t kept = (seen & hang_up_bit) | end;
        // Why an exchange even when the word is ready already: prepare must acquire *this* event.
        const std::uintptr_t next = waiter != nullptr ? kept : (kept | ready_bit);
        if (word_.compare_exchange_weak(seen, next,
                                        std::memory_order_acq_rel,     // P1: waiter; P2: event
                                        std::memory_order_relaxed)) {  // a guess again
            return waiter;
        }
    }
}

template <class Env>
io_waiter* readiness_word<Env>::close() noexcept {
    return waiter_of(word_.exchange(closed_bit, std::memory_order_acq_rel));  // P1, P3
}

}  // namespace weft::detail
