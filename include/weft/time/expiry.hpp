// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How the expiry of a scope's deadline meets the scope, when that ends or is given another
// deadline: the timer asks the scope's task to stop, then says so here, and a scope that comes too
// late to disarm its timer waits for that.
//
// Protocol: expiry
//            checked by: tests/model/timer_model.cpp, tests/stress/timeout_stress_test.cpp
// Roles      scope (the worker that runs its body) · driver (the thread that fires its timer,
//            once; where the deadline has passed at the start, the scope itself)
// Word       applied: the request has been made
// Fields     epoch_ → the driver until applied, then the scope
// States     of a timer: armed ──settle/scope──▶ disarmed, or armed ──apply/driver──▶ applied
//            applied ──renew/scope──▶ disarmed, by a scope that has withdrawn the request; from
//            there it is armed again, on the wheel of whatever worker the body is on by then
// Invariants W1 a scope whose timer will fire neither ends nor arms it again before `applied`: no
//               request leaks past it, and it and its task outlive the request.
//            W2 `applied` is the driver's last touch of the scope.
// Edges      W3 apply release → settle acquire: the request and its epoch
// Races      the body ends while the timer fires: disarm() says which comes first. If the timer
//            does, the scope waits (W1) and withdraws a request that nobody wants any more.
//            The body sets another deadline while the timer fires: the same, and if the request has
//            not reached the body, it is withdrawn as if the timer had been disarmed in time. So
//            whether a deadline can be set depends on what the body has seen, not on who was first.
// Progress   the scope waits for the rest of a driver's pass up to its own entry: what fires before
//            it, and its own request, which walks the tasks that its task awaits. The driver waits
//            for nobody and resumes nothing while it fires, so it is never the scope's own thread.
// Shutdown   memory goes with the scope's frame.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"

namespace weft::detail {

template <class Env>
class expiry {
public:
    /// Driver, or the scope itself at its start. `epoch`: of the request, for withdraw().
    void apply(std::uint32_t epoch) noexcept {
        if (!mutated<Env>(mutation::expiry_forgets_the_epoch)) epoch_.store(epoch);
        applied_.store(true, std::memory_order_release);  // W3 W2
    }

    /// Scope: takes the timer back. The epoch of the request, if one was made. disarm() says
    /// whether the timer will not fire; pause() is called until the driver has applied the request.
    template <class Disarm, class Pause>
    [[nodiscard]] std::optional<std::uint32_t> settle(Disarm disarm, Pause pause) noexcept {
        if (!is_applied()) {
            if (disarm()) return std::nullopt;
            if (mutated<Env>(mutation::expiry_ends_before_it_is_applied)) return 0;
            while (!is_applied()) pause();  // W1
        }
        return epoch_.load();
    }

    /// Scope, once the request was withdrawn: the timer may be armed again.
    void renew() noexcept {
        if (mutated<Env>(mutation::expiry_is_not_renewed)) return;
        applied_.store(false, std::memory_order_relaxed);  // W2: the scope's own until it is armed
    }

    /// Scope: the epoch of the request, if one was made so far. The timer goes on.
    [[nodiscard]] std::optional<std::uint32_t> applied() const noexcept {
        if (!is_applied()) return std::nullopt;
        return epoch_.load();
    }

private:
    [[nodiscard]] bool is_applied() const noexcept {
        return applied_.load(std::memory_order_acquire);  // W3
    }

    typename Env::template cell<std::uint32_t> epoch_{0};
    typename Env::template atomic<bool> applied_{false};
};

}  // namespace weft::detail
