// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How the watchdog of a runtime sleeps. It looks at the workers every few milliseconds while one of
// them is awake. When all are idle it sleeps, mostly without a limit, and the first worker that has
// something to run again calls it.
//
// Protocol: watch gate                                     checked by: tests/model/watch_model.cpp
// Roles      watchdog (one thread) · worker (any) · closer
// Word       watching | asleep | closed: a 32-bit futex
// States     watching ──sleep_while/watchdog──▶ asleep ──call/worker, sleep_while/watchdog──▶
//            watching · any ──close/closer──▶ closed, for good
// Edges      W1 store-load pair: watchdog {store asleep, heavy fence, look who is idle} / worker
//               {leave the idle set, light fence, read the word}. Either the watchdog sees the
//               worker awake, or the worker sees the watchdog asleep.
//            No data: what the watchdog reads of a worker has edges of its own, or is a hint.
// Races      Two workers call at once: one exchange finds `asleep`, one wake-up.
// Shutdown   close() wakes it from either sleep; every later sleep returns at once.
#pragma once

#include <cstdint>
#include <utility>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class watch_gate {
public:
    watch_gate() = default;
    watch_gate(const watch_gate&) = delete;
    watch_gate& operator=(const watch_gate&) = delete;

    /// Watchdog: sleeps until `until`, or for a shorter while. False once closed.
    [[nodiscard]] bool pause(time_point until) noexcept;
    /// Watchdog: sleeps until called, if `all_idle()` holds once everybody can see it asleep; but
    /// no longer than what `until()` says then. False once closed.
    template <class AllIdle, class Until>
    [[nodiscard]] bool sleep_while(AllIdle&& all_idle, Until&& until) noexcept;

    /// Worker, after it left the idle set and before it runs anything.
    void call() noexcept;
    /// Any thread.
    void close() noexcept;

private:
    enum state : std::uint32_t { watching, asleep, closed };
    typename Env::template atomic<std::uint32_t> word_{watching};
};

// ---------------------------------------------------------------------------------------------

template <class Env>
bool watch_gate<Env>::pause(time_point until) noexcept {
    if (word_.load(std::memory_order_relaxed) == closed) return false;  // no data: the join orders
    static_cast<void>(Env::futex_wait(word_, watching, until));
    return word_.load(std::memory_order_relaxed) != closed;  // no data: the join orders
}

template <class Env>
template <class AllIdle, class Until>
bool watch_gate<Env>::sleep_while(AllIdle&& all_idle, Until&& until) noexcept {
    std::uint32_t seen = watching;
    if (!word_.compare_exchange_strong(seen, asleep, std::memory_order_relaxed,  // W1
                                       std::memory_order_relaxed)) {             // closed
        return false;
    }
    if (!mutated<Env>(mutation::watch_without_heavy_fence)) Env::heavy_fence();  // W1: then look
    if (std::forward<AllIdle>(all_idle)() || mutated<Env>(mutation::watch_sleeps_without_look)) {
        // Not before: what a worker did until it was idle decides.
        const time_point limit = std::forward<Until>(until)();
        bool is_early = true;
        while (is_early && word_.load(std::memory_order_relaxed) == asleep) {  // a hint
            is_early = Env::futex_wait(word_, asleep, limit);  // the exchange below decides
        }
    }
    seen = asleep;
    return word_.compare_exchange_strong(seen, watching, std::memory_order_relaxed,  // W1
                                         std::memory_order_relaxed) ||  // called or closed
           seen == watching;
}

template <class Env>
inline void watch_gate<Env>::call() noexcept {
    Env::light_fence();                                           // W1: the idle set first
    if (word_.load(std::memory_order_relaxed) != asleep) return;  // W1
    std::uint32_t seen = asleep;
    if (word_.compare_exchange_strong(seen, watching, std::memory_order_relaxed,  // one caller
                                      std::memory_order_relaxed)) {               // another did
        Env::futex_wake(word_, 1);
    }
}

template <class Env>
void watch_gate<Env>::close() noexcept {
    word_.exchange(closed, std::memory_order_relaxed);  // no data: the join orders
    Env::futex_wake(word_, 1);
}

extern template class watch_gate<real_environment>;

}  // namespace weft::detail
