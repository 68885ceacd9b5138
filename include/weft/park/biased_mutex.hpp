// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A mutex that one thread, its owner, takes without a read-modify-write for as long as nobody else
// does. A visitor takes the bias away, at the price of a heavy fence, and gets an ordinary mutex;
// the owner takes the bias back after a number of turns without visitors.
// The idea: K. Russell and D. Detlefs, Eliminating Synchronization-Related Atomic Operations with
// Biased Locking and Bulk Rebiasing (OOPSLA 2006); the asymmetric fence replaces their revocation.
//
// Protocol: biased mutex                                   checked by: tests/model/mutex_model.cpp
// Roles      owner (one thread) · visitor (any other)
// Words      biased: the owner may go in by the fast way · inside: it is in by the fast way ·
//            mutex: everybody else, and the owner while the bias is away
// Fields     streak_ → mutex · fast_ → owner
// Invariants Q1 while a visitor holds the mutex and has seen inside = 0 with biased = 0, the owner
//               is not inside by the fast way, and cannot get there before the mutex is free.
// Edges      Q2 store-load pair: owner {inside = 1, light fence, read biased} against visitor
//               {biased = 0, heavy fence, read inside}: one of them sees the other
//            Q3 inside = 0 release → the visitor's acquire of inside: what the owner did
//            Q4 the visitor's changes reach the owner through the mutex: it takes that before it
//               takes the bias back
// Progress   a visitor waits for one short section of the owner.
#pragma once

#include <atomic>
#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/park/futex_mutex.hpp"

namespace weft::detail {

template <class Env>
class biased_mutex {
public:
    biased_mutex() noexcept = default;
    biased_mutex(const biased_mutex&) = delete;
    biased_mutex& operator=(const biased_mutex&) = delete;

    void lock_by_owner() noexcept {
        if (biased_.load(std::memory_order_relaxed)) [[likely]] {  // Q2 asks again
            inside_.store(true, std::memory_order_relaxed);        // Q2
            if (!mutated<Env>(mutation::biased_owner_without_fence)) Env::light_fence();  // Q2
            fast_ = biased_.load(std::memory_order_relaxed);                              // Q2
            if (fast_) [[likely]]
                return;
            inside_.store(false, std::memory_order_release);  // Q3: nothing was done
        }
        lock_like_a_visitor();
    }
    void unlock_by_owner() noexcept {
        if (fast_) [[likely]] {
            inside_.store(false, std::memory_order_release);  // Q3
        } else {
            mutex_.unlock();
        }
    }

    void lock() noexcept {
        mutex_.lock();
        streak_ = 0;
        if (!biased_.load(std::memory_order_relaxed)) return;  // written under the mutex only
        biased_.store(false, std::memory_order_relaxed);       // Q2
        if (!mutated<Env>(mutation::biased_visitor_without_fence)) Env::heavy_fence();  // Q2
        if (mutated<Env>(mutation::biased_visitor_does_not_wait)) return;
        while (inside_.load(std::memory_order_acquire)) Env::relax();  // Q3
    }
    void unlock() noexcept { mutex_.unlock(); }

private:
    static constexpr std::uint32_t turns_without_visitors = 64;

    [[gnu::noinline]] void lock_like_a_visitor() noexcept {
        fast_ = false;
        mutex_.lock();
        if (++streak_ >= turns_without_visitors) {
            biased_.store(true, std::memory_order_relaxed);  // Q4: the mutex is held
        }
    }

    typename Env::template atomic<bool> biased_{true};
    typename Env::template atomic<bool> inside_{false};
    bool fast_ = false;
    std::uint32_t streak_ = 0;
    futex_mutex<Env> mutex_;
};

/// Holds a biased mutex as its owner.
template <class Env>
class owner_guard {
public:
    explicit owner_guard(biased_mutex<Env>& mutex) noexcept : mutex_(mutex) {
        mutex_.lock_by_owner();
    }
    owner_guard(const owner_guard&) = delete;
    owner_guard& operator=(const owner_guard&) = delete;
    ~owner_guard() { mutex_.unlock_by_owner(); }

private:
    biased_mutex<Env>& mutex_;
};

}  // namespace weft::detail
