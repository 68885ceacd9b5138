// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A timer wheel behind a short lock. Any thread arms and disarms, which links and unlinks at once,
// so a cancelled timer leaves nothing behind; whoever drives the wheel takes what is due.
// Why a lock and not lazy removal: docs/decisions/0003-timer-lock.md.
//
// Protocol: guarded wheel                                 checked by: tests/model/timer_model.cpp
// Roles      owner of an entry (arms it; it lives in the owner's frame) · disarmer (any thread that
//            keeps the frame from going on) · driver (any thread, one pass at a time or several)
// Fields     wheel_, the links of its entries → mutex_; the links of what is due → its driver
// States     of an entry: unarmed ──arm/owner──▶ armed ──disarm──▶ unarmed
//                                                  └──fire_due/driver──▶ due ──fire──▶ unarmed
// Invariants G1 one end: an entry is unlinked under the mutex, by its disarmer or by the driver
// that
//               will fire it. Who is told "false" by disarm knows that it fires.
//            G2 the driver fires without the lock: what fires may arm and disarm in this very
//            wheel,
//               as the expiry of a timeout does with the sleep in its body.
//            G3 an entry is off the driver's list before it fires: from then on its frame may go.
// Edges      G4 arm, unlock release → expire, lock acquire: the entry and the frame around it
//            G5 disarm, unlock release → lock acquire of the next pass: nothing but the wheel; what
//               the disarmer hands to the owner goes through the lifecycle word
// Lifetime   G1 leaves the loser of the race with a duty: an owner whose disarm came too late lives
//            until the entry has fired. A sleep does by its task's lifecycle word, which only the
//            firing wakes; a timeout's scope does by its expiry.
// Progress   the lock is held for one operation of the wheel, never over a call to anybody.
#pragma once

#include <cstddef>
#include <mutex>

#include "weft/model/mutation.hpp"
#include "weft/park/futex_mutex.hpp"
#include "weft/wheel/timer_wheel.hpp"

namespace weft::detail {

template <class Env, class Wheel = timer_wheel>
class guarded_wheel {
public:
    void arm(timer_entry& entry, time_point deadline) noexcept {
        std::lock_guard guard{mutex_};
        wheel_.insert(entry, deadline);
    }

    /// True: unlinked, it will not fire. False: it has fired or is about to (G1), or was never
    /// armed.
    bool disarm(timer_entry& entry) noexcept {
        if (mutated<Env>(mutation::timer_disarms_unlocked)) return wheel_.remove(entry);
        std::lock_guard guard{mutex_};
        return wheel_.remove(entry) || mutated<Env>(mutation::timer_disarms_what_is_due);
    }

    /// Calls fire(entry) for everything due at `now`, first to fire first. Returns how many.
    template <class Fire>
    std::size_t fire_due(time_point now, Fire fire) noexcept {
        timer_list due;
        std::size_t count = 0;
        {
            std::lock_guard guard{mutex_};
            if (wheel_.is_empty()) return 0;
            count = wheel_.expire(now, due);
            if (mutated<Env>(mutation::timer_fires_under_lock)) fire_all(due, fire);
        }
        fire_all(due, fire);  // G2
        return count;
    }

    /// The earliest deadline, never later than it is; time_point::max() if none.
    [[nodiscard]] time_point next_deadline() noexcept {
        std::lock_guard guard{mutex_};
        return wheel_.next_deadline_time();
    }
    [[nodiscard]] std::size_t armed() noexcept {
        std::lock_guard guard{mutex_};
        return wheel_.size();
    }

private:
    template <class Fire>
    static void fire_all(timer_list& due, Fire& fire) noexcept {
        while (timer_entry* entry = due.pop_front()) fire(*entry);  // G3
    }

    futex_mutex<Env> mutex_;
    Wheel wheel_{Env::now().time_since_epoch().count()};
};

}  // namespace weft::detail
