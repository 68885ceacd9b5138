// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The deliberate faults that the model tests must find. A structure asks `mutated<Env>(m)` where a
// one-line fault can be planted; an environment that has no `static bool mutant(mutation)` answers
// with a constant false, so production pays nothing. Each value names the fault, not the symptom.
#pragma once

#include <atomic>
#include <cstdint>

namespace weft::detail {

enum class mutation : std::uint8_t {
    none,
    // include/weft/queue/work_deque.hpp
    deque_pop_without_fence,     ///< pop() reads the top before its lowered bottom is visible (P3)
    deque_steal_without_fence,   ///< steal() reads the bottom without the heavy fence (P3)
    deque_push_relaxed,          ///< push() publishes the bottom without release (P1)
    deque_pop_last_without_cas,  ///< pop() takes the last item without racing for it (I2)
    deque_grow_publishes_early,  ///< grow() publishes the ring before it is filled (P4)
    deque_push_off_by_one,       ///< push() overwrites the oldest item of a full ring (I3)
    deque_front_if_without_cas,  ///< take_front_if() takes without racing for it (I2)
    deque_batch_unclaimed,       ///< steal_half() moves the top by one less than it takes (I2)
    deque_steal_rereads_top,     ///< steal() uses a top that it read after the fence (P3)
    // include/weft/queue/ticket_count.hpp
    ticket_claimed_without_cas,  ///< a claim does not look whether another was faster (I2)
    ticket_gives_up,             ///< take() leaves with a ticket and without its item (I2)
    // runtime/sched/spill_list.hpp
    spill_pushes_unlocked,  ///< push() links without the lock
    spill_pops_unlocked,    ///< pop() unlinks without the lock
    // include/weft/park/parker.hpp
    parker_parks_over_token,      ///< park overwrites a token instead of consuming it (I1)
    parker_wakes_first,           ///< unpark() wakes the futex before it stores the token (P1)
    parker_token_only_if_parked,  ///< unpark() of a running worker is dropped (I1)
    // include/weft/park/idle_set.hpp
    park_without_fence,           ///< announce_idle() re-scans without the fence (P1)
    park_skip_rescan,             ///< announce_idle(.., scan) does not re-scan
    park_rescan_before_announce,  ///< announce_idle(.., scan) re-scans first, announces then
    last_searcher_rule,           ///< finish_search_found() never says "last"
    notify_without_fence,         ///< notify_one() reads before the item can be seen (P1)
    call_nobody,                  ///< call_one() never sees an idle worker
    idle_undo_without_fence,      ///< notify_one() looks again before its uncount is seen (P2)
    idle_undo_without_recheck,    ///< notify_one() gives up after a failed claim without looking
                                  ///< again
    idle_claims_twice,      ///< a claim does not look whether it was the one that cleared the bit
    idle_retires_silently,  ///< retire() leaves the searcher counted (I2)
    idle_counts_by_store,   ///< begin_search() adds without an atomic addition (I2)
    // include/weft/queue/thief_turn.hpp
    thief_turn_kept,          ///< a thief does not give its turn back (T1)
    thief_turn_excuses_look,  ///< who was refused sleeps without a last look (Races)
    // include/weft/task/lifecycle_level.hpp
    level_is_not_raised,  ///< raise() does nothing (N1)
    // include/weft/task/settlement.hpp
    settlement_claims_twice,        ///< a claim does not look whether another was faster (F1)
    settlement_settles_while_held,  ///< a producer settles what a canceller holds (F2)
    // include/weft/park/duty_roster.hpp
    duty_unparks_first,  ///< set() wakes the workers before they can see the change (R3)
    // include/weft/park/watch_gate.hpp
    watch_without_heavy_fence,  ///< sleep_while() looks before it is seen asleep (W1)
    watch_sleeps_without_look,  ///< sleep_while() does not look
    // include/weft/ports/running_slot.hpp
    slot_cleared_without_look,   ///< clear() does not wait for a look (U1)
    slot_visited_without_fence,  ///< visit() looks before it is seen to hold (U1)
    slot_keeps_its_await,        ///< end_direct() leaves the await in the slot (U4)
    // include/weft/park/biased_mutex.hpp
    biased_owner_without_fence,    ///< the owner looks for a visitor before it is seen inside (Q2)
    biased_visitor_without_fence,  ///< a visitor looks inside before the bias is seen gone (Q2)
    biased_visitor_does_not_wait,  ///< a visitor does not wait for an owner who is inside (Q1)
    // include/weft/task/lifecycle.hpp
    lifecycle_ignore_early_wake,     ///< try_suspend() does not look for an early wake (I3)
    lifecycle_ignore_early_cancel,   ///< try_suspend() does not look for an earlier request (I4)
    lifecycle_wake_through_busy,     ///< wake() does not heed a canceller at work (I2)
    lifecycle_forget_deferred_wake,  ///< release() leaves a deferred wake undone (I2)
    lifecycle_finish_over_request,   ///< finish() lets a value pass over a request (I4)
    // include/weft/task/lifecycle_look.hpp
    look_forgets_requests,       ///< end() does not see a request that came meanwhile (V1)
    look_forgets_deferred_wake,  ///< end() leaves a deferred wake undone (V1)
    // runtime/sched/guarded_wheel.hpp
    timer_disarms_unlocked,     ///< disarm() does not take the lock
    timer_expires_unlocked,     ///< fire_due() does not take the lock
    timer_fires_while_listed,   ///< fire_due() reads an entry's link after it has fired (G3)
    timer_disarms_what_is_due,  ///< disarm() says "it will not fire" of what is about to (G1)
    timer_fires_under_lock,     ///< fire_due() calls out with the lock held (G2)
    // include/weft/time/expiry.hpp
    expiry_forgets_the_epoch,          ///< apply() does not say which request is the scope's (W3)
    expiry_ends_before_it_is_applied,  ///< a scope that comes too late does not wait (W1)
    expiry_is_not_renewed,             ///< a timer that is armed again counts as fired (W1)
    // include/weft/task/join_count.hpp
    join_forgets_its_own,   ///< share() hands in one more than are left (J1)
    join_forgets_a_claim,   ///< what was taken by a claim still counts as offered (J1)
    join_keeps_its_claims,  ///< the outer join does not hear of an inner one's claims (J1)
    // include/weft/task/child_list.hpp
    child_looks_before_it_is_added,  ///< add() reads the marks before the list has the node (K2)
    child_mark_is_not_repeated,      ///< mark() leaves a mark that is set as it is (K3)
    // include/weft/task/callback_claim.hpp
    callback_claimed_without_cas,  ///< a claim does not look whether another was faster (V1)
    // include/weft/task/reference_count.hpp
    reference_dropped_relaxed,  ///< drop() orders nothing (H1)
    // include/weft/combine/dual_queue.hpp
    dual_puts_back_without_look,  ///< put_back() does not look for one who waits (K2)
    dual_leaves_twice,            ///< leave() does not look whether another was faster (K1)
    dual_tells_one_of_the_end,    ///< the last confirm() wakes one of those who wait (K6)
    // include/weft/combine/group_state.hpp
    group_adds_without_look,        ///< add() does not look whether the group stops (U2)
    group_stops_uncounted,          ///< who stops the group does not keep it open (U1)
    group_stops_twice,              ///< a second one to stop does not see the first (U4)
    group_wakes_who_does_not_wait,  ///< the last to close does not ask whether one waits (U6)
    group_keeps_the_turn,           ///< a child that is done does not pass its turn on (U8)
    group_leaves_queue_twice,       ///< leave_queue() does not see that the turn has come (U8)
    // runtime/time/scope_core.hpp
    scope_asks_after_the_end,   ///< cancel() makes its request without the lock (S1)
    scope_timer_keeps_nothing,  ///< the timer does not keep the state (S2)
    scope_keeps_its_request,    ///< leave() does not withdraw (S1)
    // include/weft/combine/gather_state.hpp
    gather_forgets_its_own,     ///< begin() does not count itself (G3)
    gather_decides_twice,       ///< resolve() does not look whether another was faster (G1)
    gather_ends_while_asked,    ///< a canceller by handle does not count itself (G5)
    gather_leaves_during_look,  ///< forget_waiter() does not wait for a look (G4)
    // include/weft/sync/oneshot_word.hpp
    oneshot_unlinks_blindly,          ///< unlink() does not look who replaced the address (O1)
    oneshot_leaves_without_a_word,    ///< leave() does not say that the receiver is gone (O5)
    oneshot_frees_before_the_sender,  ///< leave() takes the block while the sender has it (O5)
    // include/weft/sync/strand_queue.hpp
    strand_grants_what_was_withdrawn,  ///< claim() does not look for a withdrawal (N6)
    strand_forgets_the_driver,         ///< a job brings a driver and does not say so (N3)
    strand_takes_newest_first,         ///< take() does not reverse what it takes
    strand_rests_over_new_jobs,        ///< rest() does not look for nodes (N2)
    strand_driver_leaves_its_jobs,     ///< a driver retires without looking for jobs (N3)
    count,
};

/// Is the fault `which` planted in this environment? Constant false in production.
template <class Env>
[[nodiscard]] constexpr bool mutated([[maybe_unused]] mutation which) noexcept {
    if constexpr (requires { static_cast<bool>(Env::mutant(which)); }) {
        return static_cast<bool>(Env::mutant(which));
    } else {
        return false;
    }
}

/// `order`, or relaxed where the fault `which` is planted.
template <class Env>
[[nodiscard]] constexpr std::memory_order order_unless(mutation which,
                                                       std::memory_order order) noexcept {
    return mutated<Env>(which) ? std::memory_order_relaxed : order;  // the planted fault itself
}

}  // namespace weft::detail
