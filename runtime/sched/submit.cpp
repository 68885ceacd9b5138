// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The submit phase: what becomes ready is put where its worker will find it, and a peer is called
// when there is more than this worker is about to run itself.

#include <algorithm>
#include <new>

#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

/// Returns what was there. Others only empty the slot, so an empty one needs no exchange.
inline runnable* worker::fill_slot(runnable& next) noexcept {
    if (is_slot_empty()) {                                   // nothing is taken over
        next_slot_.store(&next, std::memory_order_release);  // S4
        return nullptr;
    }
    return next_slot_.exchange(&next, std::memory_order_acq_rel);  // S4
}

void worker::submit_woken(runnable& ready) noexcept {
    const bool waits_its_turn = alone_ || batch_ || is_in_background();
    if (waits_its_turn || ready.owner->priority() != priority::normal) return submit_back(ready);
    trace::task_wake(trace, ready.owner->id(), ready.runs, trace::wake_via::next_slot, index_);
    runnable* const before = fill_slot(ready);
    if (before != nullptr) queue(*before, priority::normal);
    const bool is_first = before == nullptr && ready_count(priority::normal) == 0 &&
                          (!has_ranks_ || ready_count(priority::latency) == 0);
    if (!is_first) core_.call_one();
}

/// The first ready runnable is this worker's own next one: peers are called from the second on, so
/// that a task which starts another and awaits it is not torn to a second core.
void worker::submit_back(runnable& ready) noexcept {
    trace::task_wake(trace, ready.owner->id(), ready.runs, trace::wake_via::local, index_);
    const priority level = ready.owner->priority();
    if (level != priority::normal || has_ranks_) [[unlikely]]
        return submit_ranked(ready, level);
    queue(ready, level);
    if (alone_) return;
    const std::size_t count = ready_before_background();
    if (count > 1 && !(batch_ && put_call_off(count))) core_.call_one();
}

bool worker::put_call_off(std::size_t ready) noexcept {
    if (!batches_.put_off(ready)) return false;
    owes_call_.store(true, std::memory_order_relaxed);  // hint
    return true;
}

/// What is in the background may never be next here, and what outranks the task that runs should
/// not wait for it.
void worker::submit_ranked(runnable& ready, priority level) noexcept {
    queue(ready, level);
    if (alone_) return;
    const bool outranks = level < running_at() && !current.is_empty();
    if (outranks || level == priority::background || ready_before_background() > 1)
        core_.call_one();
}

std::coroutine_handle<> worker::call_peer(std::coroutine_handle<> next) noexcept {
    core_.call_one();
    return next;
}

void worker::queue_into_wider(runnable& ready, priority level) noexcept {
    try {
        my_ready_[to_index(level)].push(&ready);
    } catch (const std::bad_alloc&) {
        core_.spilled.push(ready);
        core_.notify_one();  // not this worker's own any more
    }
}

bool worker::widen_forks(std::size_t count) noexcept {
    try {
        my_forks_.reserve(count);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void worker::give_away(promise_base& child) noexcept {
    core_.spilled.push(make_runnable(child, *this));
    core_.notify_one();  // not this worker's own any more
}

void worker::arm(timer_waiter& entry, time_point deadline) noexcept {
    trace::timer_arm(trace, 0);
    timers_.arm(entry, deadline);
}

void worker::unpark() noexcept {
    if (parker_.unpark() == unpark_result::must_wake_poll) reactor_.wake();
}

bool worker::has_work() const noexcept {
    const auto is_empty = [](const runnable_deque& queue) { return queue.is_empty(); };
    return !std::ranges::all_of(ready_, is_empty) || !forks_.is_empty() ||
           next_slot_.load(std::memory_order_acquire) != nullptr;  // S4: the parker's re-scan
}

bool worker::has_surplus() const noexcept {
    const auto is_surplus = [](const runnable_deque& queue) { return queue.size_hint() > 1; };
    return std::ranges::any_of(ready_, is_surplus) || !forks_.is_empty();
}

bool worker::is_offering() const noexcept {
    const priority runs = running_at();
    const std::size_t ready = ready_before_background();
    const std::size_t above = runs == priority::background ? ready
                              : runs == priority::normal   ? ready_count(priority::latency)
                                                           : 0;
    const bool runs_something = !current.is_empty();
    const bool outranks = above != 0 && runs_something;
    const bool owes =
        ready != 0 && runs_something && owes_call_.load(std::memory_order_relaxed);  // hint
    return outranks || owes || ready > 1 || !forks_.is_empty() ||
           ready_count(priority::background) != 0;
}

std::size_t worker::ready_before_background() const noexcept {
    return ready_count(priority::latency) + ready_count(priority::normal) +
           (is_slot_empty() ? 0 : 1);
}

bool worker::outranks_background() const noexcept {
    // What outranks its run does not wait for it.
    const bool outranks = running_at() == priority::normal && ready_count(priority::latency) != 0;
    const bool own_next = !is_in_background() && !is_kept() && !outranks;
    return ready_before_background() > (own_next ? 1 : 0) ||
           (!is_in_background() && !forks_.is_empty());
}

}  // namespace weft::detail
