// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The park phase: nothing to run anywhere. Announce that, look once more, sleep until there is a
// token, a deadline or an event. A worker with descriptors sleeps in its poller, one without on the
// futex; either way it makes no system call but the wait itself until something happens.

#include <algorithm>
#include <utility>

#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

void worker::park() noexcept {
    if (is_off_duty()) return rest_on_bench();
    runnable* found = nullptr;
    bool work = core_.idle.announce_idle(index_, searching_, [&] {
        found = rescan();
        if (found != nullptr || core_.is_stopping()) return true;
        // Whoever searches looks at the peers, and when it is the last, notifies (idle_set's I3).
        return core_.idle.searching() == 0 && peers_have_work();
    });
    searching_ = false;
    if (!work) wait_for_events();
    was_asleep_ = true;
    passes_turn_ = work && found == nullptr;
    if (core_.idle.retract_idle(index_) == retract_result::claimed) {
        parker_.clear_token();
        searching_ = true;
    } else if (work && found == nullptr) {
        // A producer may have seen this worker searching and called nobody: go on searching.
        searching_ = core_.idle.begin_search();
    }
    if (found == nullptr) return;
    queue(*found, found->owner->priority());
    leave_search();
    core_.notify_one();
}

/// A rescue worker off duty is in no idle set, so nobody calls it but the watchdog. What was armed
/// and registered here while it was on duty stays here: that it wakes for, and hands what became
/// ready to the others.
void worker::rest_on_bench() noexcept {
    hand_over();
    if (core_.idle.retire(std::exchange(searching_, false))) core_.notify_one();
    benched_.store(true, std::memory_order_relaxed);  // hint: driving decides who drives
    wait_for_events();
    benched_.store(false, std::memory_order_relaxed);  // hint: driving decides who drives
    was_asleep_ = true;
    if (is_off_duty()) hand_over();
}

void worker::hand_over() noexcept {
    while (runnable* next = next_local()) core_.inject(*next);
    while (runnable* next = take(priority::background)) core_.inject(*next);
}

bool worker::is_off_duty() const noexcept { return is_rescue_ && !core_.watch.wants(index_); }

/// Injected work must be taken to be seen: the queue's emptiness is no fact between threads.
runnable* worker::rescan() noexcept {
    runnable* found = take_injected();
    return found != nullptr ? found : take(priority::background);
}

bool worker::peers_have_work() const noexcept {
    return std::ranges::any_of(core_.workers(), [](const auto& peer) { return peer->has_work(); });
}

bool worker::peers_outrank_background() const noexcept {
    return std::ranges::any_of(core_.workers(), [this](const auto& peer) {
        return peer.get() != this && peer->outranks_background();
    });
}

bool worker::peers_have_surplus() const noexcept {
    return std::ranges::any_of(core_.workers(),
                               [](const auto& peer) { return peer->has_surplus(); });
}

void worker::wait_for_events() noexcept {
    note_births();
    // A peer may still be in its one non-blocking look at this shard.
    while (driving_.exchange(true, std::memory_order_acquire)) env::relax();  // S5
    time_point deadline = timers_.next_deadline();
    counts.parks.add(1);
    bool polls = reactor_.registered() != 0;
    trace::park(trace, 0, 0, 0, polls ? trace::park_reason::poll : trace::park_reason::idle);
    auto cause = trace::unpark_cause::timeout;
    batch_ = true;
    if (!polls) {
        if (parker_.park_futex(deadline) == park_result::notified) {
            cause = trace::unpark_cause::woken;
        }
    } else if (parker_.prepare_poll()) {
        nanoseconds timeout = poller::forever;
        if (deadline != time_point::max()) {
            timeout = std::max(nanoseconds::zero(), nanoseconds{deadline - env::now()});
        }
        if (poll(timeout, counts)) cause = trace::unpark_cause::io;
        if (parker_.finish_poll()) cause = trace::unpark_cause::woken;
    }
    if (fire_timers(trace, counts)) cause = trace::unpark_cause::timer;
    batch_ = false;
    driving_.store(false, std::memory_order_release);  // S5
    note_place();
    const time_point now = env::now();
    note_look(now);
    batches_.begin_busy(now, counts.resumptions.read());
    if (cause != trace::unpark_cause::timeout) waits_.end_asleep(now);
    trace::unpark(trace, cause);
}

}  // namespace weft::detail
