// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// When the wait for several tasks is over: how many are left, what decided it, who waits.
//
// Protocol: gather                          checked by: tests/model/gather_model.cpp,
//                                           tests/stress/gather_stress_test.cpp,
//                                           wait_stress_test.cpp
// Roles      awaiting task · finishers of the children · a canceller of the awaiting task · the
//            timer of a wait · canceller by handle · looker (finds out who waits for a child)
// Words      remaining: children not done, plus one until the registration is over, plus one for
//            each canceller by handle
//            outcome: open, or the decision, made by one of the roles
//            asked: a child has taken a request that came by the gather; it ends cancelled
//            waiter: the awaiting task while the await lasts; null while somebody looks at it
// Invariants G1 the awaiting task is woken once: by whoever decides the outcome.
//            G3 without an earlier decision it is the last child's end that decides, and only once
//               all are registered.
//            G5 a gather does not end with its last child while a canceller by handle asks: whether
//               it ends cancelled is known before.
// Edges      G4 waiter's exchanges: a look is over before the await ends
//            G6 a child's end, or a canceller's, release → last of remaining acquire; decision
//               release → look acquire: the children's outcomes, and `asked`
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

/// `Task`: retain() for who has looked.
template <class Env, class Task>
class gather_state {
public:
    gather_state(const gather_state&) = delete;
    gather_state& operator=(const gather_state&) = delete;

    /// add(i) registers with a child, or calls child_done() for it and returns what that says. True
    /// if this decided the outcome: nobody will wake `awaiting`.
    template <class Add>
    [[nodiscard]] bool begin(Task* awaiting, std::size_t count, Add add) noexcept {
        waiter_.store(awaiting, std::memory_order_relaxed);  // G4: not registered yet
        const std::size_t own = mutated<Env>(mutation::gather_forgets_its_own) ? 1 : 0;
        remaining_.fetch_add(count - own, std::memory_order_relaxed);  // G6: this has one of them
        bool decided_here = false;
        for (std::size_t i = 0; i < count; ++i) {
            if (add(i)) decided_here = true;
        }
        // Only a decision made here replaces the wake-up: another decider has called wake, which
        // the suspension that follows must find.
        return one_less() || decided_here;
    }
    /// Finisher. `decides`: the wait is over with this child, `because` of its error if it is not
    /// null. True if this decided the outcome: the caller wakes.
    [[nodiscard]] bool child_done(bool decides, Task* because) noexcept {
        const bool decided_here = decides && resolve(because);
        return one_less() || decided_here;
    }
    /// True if nothing had decided the outcome, and nothing will.
    [[nodiscard]] bool give_up() noexcept { return resolve(nullptr); }

    /// By handle. ask() asks every child, and calls note_asked() if one took the request. False: it
    /// was not called, the outcome is decided or about to be. wake() if this decides it.
    template <class Ask, class Wake>
    bool ask_children(Ask ask, Wake wake) noexcept;
    void note_asked() noexcept {
        asked_.store(true, std::memory_order_release);  // G6
    }
    /// Whether it ends cancelled even if every child declines.
    [[nodiscard]] bool was_asked() const noexcept {
        return asked_.load(std::memory_order_acquire);  // G6
    }

    [[nodiscard]] bool is_decided() const noexcept {
        return outcome_.load(std::memory_order_acquire) != open;  // G6
    }
    /// The child whose error decided the outcome, nullptr if none did.
    [[nodiscard]] Task* failed() const noexcept {
        const std::uintptr_t outcome = outcome_.load(std::memory_order_acquire);  // G6
        return outcome == decided ? nullptr : reinterpret_cast<Task*>(outcome);
    }

    /// The await ends: from here on nobody finds the awaiting task.
    void forget_waiter() noexcept {
        while (waiter_.exchange(nullptr, std::memory_order_acq_rel) == nullptr) {  // G4
            if (mutated<Env>(mutation::gather_leaves_during_look)) return;
            Env::relax();  // somebody looks and will put it back
        }
    }
    /// Looker. With a reference; nullptr after the await, and for one that finds another at it.
    [[nodiscard]] Task* waiter() noexcept {
        Task* const awaiting = waiter_.exchange(nullptr, std::memory_order_acq_rel);  // G4
        if (awaiting == nullptr) return nullptr;
        awaiting->retain();
        waiter_.store(awaiting, std::memory_order_release);  // G4
        return awaiting;
    }

protected:
    /// One of nothing is over at once.
    explicit gather_state(bool is_over = false) noexcept : outcome_(is_over ? decided : open) {}
    ~gather_state() = default;

private:
    static constexpr std::uintptr_t open = 0, decided = 1;  // else the address of a failed child

    [[nodiscard]] bool one_less() noexcept {
        const bool last = remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // G6 G3
        return last && resolve(nullptr);
    }
    [[nodiscard]] bool resolve(Task* because) noexcept;

    typename Env::template atomic<Task*> waiter_{nullptr};
    typename Env::template atomic<std::uintptr_t> outcome_;
    typename Env::template atomic<std::size_t> remaining_{1};
    typename Env::template atomic<bool> asked_{false};
};

// ---------------------------------------------------------------------------------------------

template <class Env, class Task>
bool gather_state<Env, Task>::resolve(Task* because) noexcept {
    std::uintptr_t outcome = open;
    const auto decision = because == nullptr ? decided : reinterpret_cast<std::uintptr_t>(because);
    if (mutated<Env>(mutation::gather_decides_twice)) {
        outcome_.store(decision, std::memory_order_release);  // G6: the planted fault itself
        return true;
    }
    return outcome_.compare_exchange_strong(outcome, decision, std::memory_order_release,  // G1 G6
                                            std::memory_order_relaxed);  // G1: nothing is read
}

template <class Env, class Task>
template <class Ask, class Wake>
bool gather_state<Env, Task>::ask_children(Ask ask, Wake wake) noexcept {
    if (is_decided()) return false;
    if (mutated<Env>(mutation::gather_ends_while_asked)) return ask();
    std::size_t count = remaining_.load(std::memory_order_relaxed);  // G5: the exchange decides
    do {
        if (count == 0) return false;
    } while (!remaining_.compare_exchange_weak(count, count + 1,
                                               std::memory_order_relaxed,  // G5: it only counts
                                               std::memory_order_relaxed));  // G5: only retried
    const bool accepted = ask();
    if (one_less()) wake();
    return accepted;
}

}  // namespace weft::detail
