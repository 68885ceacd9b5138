// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The lifecycle word: is this runnable going on, waiting or done, and which cancel requests has it
// not seen yet. Everything that decides who may put a runnable into a queue is in this one word.
// It knows neither queues nor operations; `runnable` does what its answers say.
//
// Protocol: lifecycle word                          checked by: tests/model/lifecycle_model.cpp
// Roles      owner (the worker that runs the body) · waker (once per suspension: whoever completed
//            the operation) · canceller, looker (lifecycle_look.hpp): any thread, any number
// Word       63..32 cancelling | 31..20 delivery epoch | 19..12 level (lifecycle_level.hpp)
//            | 11..4 undelivered requests | 3 busy: a canceller works on the operation, or a looker
//            reads it | 2 woken | 1..0 state
// States     active ──try_suspend/owner──▶ waiting ──wake/waker──▶ active ──finish/owner──▶ done
//            "active": created, queued or running; a canceller treats the three alike.
// Invariants I1 one resume: leaving `waiting` is one exchange; the winner queues or runs it.
//            I2 while `busy` nobody leaves `waiting`: a waker sets `woken` and whoever is busy, and
//               may therefore touch the operation in the frame, enqueues when it lets go.
//            I3 the waker may come before the suspension: `woken` makes try_suspend fail.
//            I4 a request that returned true is counted as undelivered until it is delivered,
//               handed to the awaited operation, or withdrawn by its own scope.
// Edges      L1 wake release → try_suspend/resume acquire: the operation's result
//            L2 suspend release → wake/cancel acquire: resume point, operation, frame
//            L3 request release → take acquire: the reason
//            L4 finish release → is_done acquire: the outcome
// Races      wake while the owner suspends: the waker finds `active`, sets `woken`, the owner's
//            exchange fails and it goes on without suspending (I3).
//            cancel against completion: both find `waiting`; the canceller sets `busy` first, the
//            waker leaves `woken`, the canceller learns from the operation that it lost, lets go
//            and enqueues (I2). The other way round the canceller finds `active` and only counts.
//            cancel against finish: one word, so either the body's last step sees the request or
//            the request is refused.
// Progress   lock-free; a preempted canceller delays only the task that it cancels.
// Shutdown   a done word refuses everything; memory goes with the last reference.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/task/lifecycle_bits.hpp"

namespace weft::detail {

template <class Env>
class lifecycle : public lifecycle_bits {
public:
    enum class suspension { suspended, woken, cancel_pending };
    enum class wake_duty { none, enqueue };
    enum class cancel_duty { refused, recorded, recorded_at_busy, handle_operation };
    enum class cancel_outcome { forwarded, unlinked, lost };
    enum class release_duty { none, enqueue, handle_again };
    struct ticket {
        cancel_duty duty;
        std::uint32_t epoch;  // delivery epoch at the request; see withdraw
    };

    // Owner.
    /// Publishes that the body waits. `woken`: the operation is complete, go on at once.
    /// `cancel_pending` (only for what it heeds): still active; deal with the request first.
    [[nodiscard]] suspension try_suspend(heed what = heed::all) noexcept;
    /// Takes every undelivered request; true if there was one, which this delivers, or a level.
    [[nodiscard]] bool take_requests() noexcept {
        const auto taken = [](word v) {
            return undelivered(v) != 0 ? next_epoch(v & ~request_mask) : v;
        };
        return has_requests() && asks(update(taken), heed::all);
    }
    [[nodiscard]] bool has_requests() const noexcept {
        return asks(word_.load(std::memory_order_acquire), heed::all);  // L3
    }
    /// Requests that are neither delivered nor handed over.
    [[nodiscard]] std::uint32_t pending_requests() const noexcept {
        return requests(word_.load(std::memory_order_acquire));  // L3
    }
    /// Of a request that was not withdrawn: it has been neither delivered nor handed over.
    [[nodiscard]] bool is_undelivered(std::uint32_t request_epoch) const noexcept {
        const word w = word_.load(std::memory_order_acquire);  // L3
        return undelivered(w) != 0 && epoch(w) == request_epoch;
    }
    /// While active: hands as many requests to an operation that accepted them.
    void hand_over_requests(std::uint32_t count = request_limit) noexcept {
        update([count](word v) {
            v -= std::min(count, requests(v)) * request_one;
            return undelivered(v) == 0 ? next_epoch(v) : v;
        });
    }
    /// Ends the life. With `plain_value` an undelivered request prevents that and false is
    /// returned: the body missed it, so the outcome must be a cancellation.
    [[nodiscard]] bool finish(bool plain_value) noexcept;
    /// Ends a scope's own request made with `epoch`; returns the requests that remain counted. If
    /// no more than were `seen` before the scope, nobody asks any more: nothing is undelivered.
    std::uint32_t withdraw(std::uint32_t epoch, std::uint32_t seen = 0) noexcept;

    // Waker.
    [[nodiscard]] wake_duty wake() noexcept;

    // Canceller.
    [[nodiscard]] ticket request() noexcept;
    /// After `handle_operation`: what became of it. `handle_again`: another request came.
    [[nodiscard]] release_duty release(cancel_outcome outcome) noexcept;

    // Any thread.
    [[nodiscard]] bool is_done() const noexcept {
        return (word_.load(std::memory_order_acquire) & state_mask) == done;  // L4
    }
    [[nodiscard]] std::uint32_t cancelling() const noexcept {
        return counted(word_.load(std::memory_order_acquire));  // L3
    }
    /// Counted requests that are not still to be delivered: what a scope that begins has seen.
    [[nodiscard]] std::uint32_t seen_requests() const noexcept {
        const word w = word_.load(std::memory_order_acquire);  // L3
        return counted(w) - std::min(counted(w), requests(w));
    }
    /// Forgets one counted request (floor 0); at 0 also what is undelivered. Returns the rest.
    std::uint32_t uncancel() noexcept;

private:
    template <class>
    friend class lifecycle_level;
    template <class>
    friend class lifecycle_look;

    template <class Change>
    word update(Change change) noexcept {
        word w = word_.load(std::memory_order_relaxed);  // L1: the exchange below carries the edges
        while (!word_.compare_exchange_weak(w, change(w),
                                            std::memory_order_acq_rel,     // L1 L2 L3 L4
                                            std::memory_order_relaxed)) {  // L1: only retried
        }
        return w;
    }

    typename Env::template atomic<word> word_{active};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
auto lifecycle<Env>::try_suspend(heed what) noexcept -> suspension {
    word w = word_.load(std::memory_order_acquire);  // L1
    for (;;) {
        if ((w & woken_bit) != 0 && !mutated<Env>(mutation::lifecycle_ignore_early_wake)) {
            update([](word v) { return v & ~woken_bit; });
            return suspension::woken;
        }
        if (asks(w, what) && !mutated<Env>(mutation::lifecycle_ignore_early_cancel)) {
            return suspension::cancel_pending;
        }
        if (word_.compare_exchange_weak(w, w | waiting, std::memory_order_acq_rel,  // L2
                                        std::memory_order_acquire)) {               // L1
            return suspension::suspended;
        }
    }
}

template <class Env>
bool lifecycle<Env>::finish(bool plain_value) noexcept {
    bool minds = plain_value && !mutated<Env>(mutation::lifecycle_finish_over_request);
    word before = update([minds](word v) {
        if (minds && undelivered(v) != 0) return v;
        return (v & ~state_mask & ~request_mask) | done;
    });
    return !(minds && undelivered(before) != 0);
}

template <class Env>
std::uint32_t lifecycle<Env>::withdraw(std::uint32_t request_epoch, std::uint32_t seen) noexcept {
    word before = update([=](word v) {
        if (counted(v) != 0) v -= counted_one;
        if (undelivered(v) == 0) return v;
        if (counted(v) <= seen) return next_epoch(v & ~request_mask);
        return epoch(v) == request_epoch ? v - request_one : v;
    });
    return counted(before) == 0 ? 0 : counted(before) - 1;
}

template <class Env>
auto lifecycle<Env>::wake() noexcept -> wake_duty {
    word before = update([](word v) {
        bool free = (v & busy_bit) == 0 || mutated<Env>(mutation::lifecycle_wake_through_busy);
        return (v & state_mask) == waiting && free ? v & ~state_mask : v | woken_bit;
    });
    bool free = (before & busy_bit) == 0 || mutated<Env>(mutation::lifecycle_wake_through_busy);
    return (before & state_mask) == waiting && free ? wake_duty::enqueue : wake_duty::none;
}

template <class Env>
auto lifecycle<Env>::request() noexcept -> ticket {
    word before = update([](word v) {
        if ((v & state_mask) == done) return v;
        v += counted_one;
        if (undelivered(v) != request_mask) v += request_one;
        return (v & state_mask) == waiting ? v | busy_bit : v;
    });
    if ((before & state_mask) == done) return {cancel_duty::refused, 0};
    if ((before & state_mask) != waiting) return {cancel_duty::recorded, epoch(before)};
    bool busy = (before & busy_bit) != 0;  // by a canceller, this one's own walk too, or a looker
    return {busy ? cancel_duty::recorded_at_busy : cancel_duty::handle_operation, epoch(before)};
}

template <class Env>
auto lifecycle<Env>::release(cancel_outcome outcome) noexcept -> release_duty {
    // A forwarded request is the operation's now. Requests that came while `busy` cannot be told
    // from it, so each round hands over exactly one and asks again while any is left.
    word before = update([outcome](word v) {
        if (outcome == cancel_outcome::unlinked) return v & ~state_mask & ~busy_bit;
        if (outcome == cancel_outcome::forwarded) {
            if (undelivered(v) != 0) v -= request_one;
            if (undelivered(v) != 0 && (v & woken_bit) == 0) return v;  // stay busy, go round again
            if (undelivered(v) == 0) v = next_epoch(v);
        }
        v &= ~busy_bit;
        if (mutated<Env>(mutation::lifecycle_forget_deferred_wake)) return v;
        return (v & woken_bit) != 0 ? v & ~woken_bit & ~state_mask : v;
    });
    bool woken = (before & woken_bit) != 0;
    if (outcome == cancel_outcome::unlinked || woken) return release_duty::enqueue;
    bool again = outcome == cancel_outcome::forwarded && undelivered(before) > request_one;
    return again ? release_duty::handle_again : release_duty::none;
}

template <class Env>
std::uint32_t lifecycle<Env>::uncancel() noexcept {
    word before = update([](word v) {
        if (counted(v) == 0) return v;
        v -= counted_one;
        if (counted(v) != 0 || undelivered(v) == 0) return v;
        return next_epoch(v & ~request_mask);  // a scope that asked before withdraws nothing later
    });
    return counted(before) == 0 ? 0 : counted(before) - 1;
}

}  // namespace weft::detail
