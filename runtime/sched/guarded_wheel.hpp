// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A timer wheel behind a short lock. Arming links and disarming unlinks at once, so a cancelled
// timer leaves nothing behind; whoever drives the wheel takes what is due.
// Why a lock and not lazy removal: docs/decisions/0003-timer-lock.md.
//
// Protocol: guarded wheel                                  checked by: tests/model/timer_model.cpp
// Roles      owner of an entry (arms it; it lives in the owner's frame) · disarmer (the owner, or
//            any thread that keeps the frame from going on) · driver (any thread; the wheel does
//            not rely on one at a time, though a worker's S5 sees to that)
// Fields     wheel_, an entry's place_, and its links while armed → mutex_; the link of what is due
//            → its driver; deadline_ → the owner, fixed while armed or due
// States     of an entry: unarmed ──arm/owner──▶ armed ──disarm/disarmer──▶ unarmed
//            armed ──expire/driver──▶ due ──pop/driver──▶ unarmed, and then it fires
// Invariants G1 one end: an entry leaves the wheel under the mutex, by its disarmer or by the
//               driver that will fire it. Who is told "false" by disarm() knows that it fires.
//            G2 the driver fires without the lock: what fires may arm and disarm in this wheel.
//            G3 an entry is off the driver's list before it fires: from then on its frame may go.
// Edges      G4 arm's unlock release → expire's lock acquire: the entry and the frame around it
//            G5 the driver's pop, then the release by which the firing wakes the owner (the
//               lifecycle word's L1, the expiry's W3) → the owner: the entry is its own again
// Races      disarm against expire: the mutex decides; the loser finds the entry unarmed. It may
//            look while the driver pops, since place_ was written under the mutex.
//            The timer of a scope and the sleep in its body due in one pass: the scope's firing
//            cancels the task, whose disarm of the sleep is too late; the sleep fires next.
// Lifetime   G1 leaves the loser a duty: an owner whose disarm came too late lives until the entry
//            has fired. A sleep does by its task's lifecycle word, which only the firing wakes; a
//            scope with a deadline does by its expiry.
// Progress   the lock is held for one operation of the wheel, never over a call to anybody. Nobody
//            is told about an earlier deadline: who sleeps until next_deadline() is the worker that
//            arms, or the watchdog, which looks again soon.
// Shutdown   entries still armed are their owners' to disarm; the destructor touches none.
#pragma once

#include <cstddef>
#include <mutex>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/park/futex_mutex.hpp"
#include "weft/wheel/timer_wheel.hpp"

namespace weft::detail {

/// Any thread. `Wheel` is timer_wheel, or a model's that notices who enters it at the same time.
template <class Env, class Wheel = timer_wheel>
class guarded_wheel {
public:
    void arm(timer_entry& entry, time_point deadline) noexcept {
        std::lock_guard guard{mutex_};
        wheel_.insert(entry, deadline);
    }

    /// True: unlinked, it will not fire. False: it is not armed: it has fired or is about to (G1).
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
        if (mutated<Env>(mutation::timer_expires_unlocked)) count = wheel_.expire(now, due);
        {
            std::lock_guard guard{mutex_};
            if (wheel_.is_empty() && due.is_empty()) return 0;
            count += wheel_.expire(now, due);
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
        while (timer_entry* entry = due.front()) {
            if (!mutated<Env>(mutation::timer_fires_while_listed)) due.pop_front();  // G3
            fire(*entry);
            if (mutated<Env>(mutation::timer_fires_while_listed)) due.pop_front();
        }
    }

    futex_mutex<Env> mutex_;
    Wheel wheel_{Env::now().time_since_epoch().count()};
};

}  // namespace weft::detail
