// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a worker runs, in a place where the watchdog, or who lists the tasks, may look at it.
// Whatever runs may be gone as soon as it has suspended, ended or been handed on: the worker
// empties the slot first.
//
// Protocol: running slot                                   checked by: tests/model/watch_model.cpp
// Roles      worker (one) · watchdog (one at a time, whoever stands for it: runtime_core's lock)
// Words      running: what runs, or null · direct: the direct await (task_join) whose task runs
//            here, or null · held: the watchdog looks
// Invariants U4 an await is in the slot from before its task is shown until after that is not:
//               it stays while the watchdog looks at what runs.
// Edges      U1 store-load pair: worker {store null, light fence, read held} / watchdog
//               {store held, heavy fence, read running}. Either the watchdog sees null, or the
//               worker sees that it is held, and waits until the look is over.
//            U2 running, direct release → watchdog's acquire: what runs, and the await, whole
//            U3 held release → worker's acquire: the look is over before what runs may go
// Progress   a look takes a reference and no more.
#pragma once

#include <cstdint>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env, class T, class Await>
class running_slot {
public:
    // Worker.
    [[nodiscard]] T* get() const noexcept {
        return running_.load(std::memory_order_relaxed);  // its own
    }
    void set(T& what) noexcept {
        running_.store(&what, std::memory_order_release);  // U2
    }
    /// Before what runs may be gone.
    void clear() noexcept;
    [[nodiscard]] Await* direct() const noexcept {
        return direct_.load(std::memory_order_relaxed);  // its own
    }
    /// Before the await's task is set.
    void begin_direct(Await& by) noexcept {
        direct_.store(&by, std::memory_order_release);  // U2
    }
    /// Clears the slot, too.
    void end_direct() noexcept;

    // Any thread.
    [[nodiscard]] bool is_empty() const noexcept {
        return running_.load(std::memory_order_relaxed) == nullptr;  // hint
    }
    /// Watchdog: calls `look(what, direct)` if something runs; both stay until it returns. `direct`
    /// may be null, and may be of another task than what runs.
    template <class Look>
    void visit(Look&& look) noexcept;

private:
    typename Env::template atomic<T*> running_{nullptr};
    typename Env::template atomic<Await*> direct_{nullptr};
    typename Env::template atomic<std::uint32_t> held_{0};
};

// ---------------------------------------------------------------------------------------------

template <class Env, class T, class Await>
inline void running_slot<Env, T, Await>::clear() noexcept {
    running_.store(nullptr, std::memory_order_relaxed);  // U1
    if (mutated<Env>(mutation::slot_cleared_without_look)) return;
    Env::light_fence();                                              // U1: then look
    while (held_.load(std::memory_order_acquire) != 0) [[unlikely]]  // U1 U3
        Env::relax();
}

template <class Env, class T, class Await>
inline void running_slot<Env, T, Await>::end_direct() noexcept {
    if (!is_empty()) clear();
    if (mutated<Env>(mutation::slot_keeps_its_await)) return;
    direct_.store(nullptr, std::memory_order_relaxed);  // U4: the slot is empty
}

template <class Env, class T, class Await>
template <class Look>
void running_slot<Env, T, Await>::visit(Look&& look) noexcept {
    held_.store(1, std::memory_order_relaxed);                                    // U1
    if (!mutated<Env>(mutation::slot_visited_without_fence)) Env::heavy_fence();  // U1: then look
    if (T* what = running_.load(std::memory_order_acquire)) {                     // U1 U2
        look(*what, direct_.load(std::memory_order_acquire));                     // U2 U4
    }
    held_.store(0, std::memory_order_release);  // U3
}

}  // namespace weft::detail
