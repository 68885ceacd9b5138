// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A mutex for sections of a few instructions: one exchange to lock, one to unlock, a short spin
// before the kernel is asked. Half the cost of std::mutex where nobody waits, and independent of
// the condition-variable machinery of the C library. Source: U. Drepper, Futexes Are Tricky (2011).
//
// Protocol: futex mutex                                   checked by: tests/model/mutex_model.cpp
// Roles      any thread
// Word       free | held | contended (held, and somebody may sleep)
// Invariants M1 who sleeps has seen `contended`; unlocking a contended mutex wakes one.
// Edges      M2 unlock release → lock acquire: the guarded data
// Progress   a woken thread locks as `contended`, so that the next sleeper is not forgotten.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"

namespace weft::detail {

template <class Env>
class futex_mutex {
public:
    futex_mutex() noexcept = default;
    futex_mutex(const futex_mutex&) = delete;
    futex_mutex& operator=(const futex_mutex&) = delete;

    void lock() noexcept {
        std::uint32_t seen = free;
        if (word_.compare_exchange_strong(seen, held, std::memory_order_acquire,  // M2
                                          std::memory_order_relaxed)) {  // M2: only retried
            return;
        }
        lock_slowly();
    }
    void unlock() noexcept {
        if (word_.exchange(free, std::memory_order_release) == contended) {  // M2 M1
            Env::futex_wake(word_, 1);
        }
    }

private:
    enum state : std::uint32_t { free, held, contended };
    static constexpr int spins = 64;

    void lock_slowly() noexcept {
        for (int i = 0; i < spins; ++i) {
            std::uint32_t seen = free;
            if (word_.load(std::memory_order_relaxed) == free &&  // M2: the exchange acquires
                word_.compare_exchange_weak(seen, held, std::memory_order_acquire,  // M2
                                            std::memory_order_relaxed)) {  // M2: only retried
                return;
            }
            Env::relax();
        }
        while (word_.exchange(contended, std::memory_order_acquire) != free) {  // M2 M1
            Env::futex_wait(word_, contended, time_point::max());
        }
    }

    typename Env::template atomic<std::uint32_t> word_{free};
};

}  // namespace weft::detail
