// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The submit phase: what becomes ready is put where its worker will find it, and a peer is called
// when there is more than this worker is about to run itself.

#include <new>

#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

void worker::submit_woken(runnable& ready) noexcept {
    if (alone_ || batch_) return submit_back(ready);
    trace::task_wake(trace, ready.owner->id(), ready.runs, trace::wake_via::next_slot, index_);
    runnable* before = next_slot_.exchange(&ready, std::memory_order_acq_rel);  // S4
    if (before != nullptr) queue(*before);
    if (before != nullptr || !ready_.is_empty()) core_.notify_one();
}

void worker::submit_back(runnable& ready) noexcept {
    trace::task_wake(trace, ready.owner->id(), ready.runs, trace::wake_via::local, index_);
    queue(ready);
    offer_work();
}

/// The first ready runnable is this worker's own next one: peers are called from the second on, so
/// that a task which starts another and awaits it is not torn to a second core.
void worker::offer_work() noexcept {
    if (!alone_ && ready_.size_hint() > 1) core_.notify_one();
}

std::coroutine_handle<> worker::call_peer(std::coroutine_handle<> next) noexcept {
    core_.notify_one();
    return next;
}

void worker::queue_into_wider(runnable& ready) noexcept {
    try {
        my_ready_.push(&ready);
    } catch (const std::bad_alloc&) {
        core_.spilled.push(ready);
    }
}

void worker::fork_into_wider(promise_base& child) noexcept {
    try {
        my_forks_.push(&child);
    } catch (const std::bad_alloc&) {
        core_.spilled.push(make_runnable(child, *this));
        core_.notify_one();  // announce_forks looks at the deque alone
    }
}

void worker::arm(timer_waiter& entry, time_point deadline) noexcept {
    trace::timer_arm(trace, 0);
    timers_.arm(entry, deadline);
}

void worker::unpark() noexcept {
    if (parker_.unpark() == unpark_result::must_wake_poll) reactor_.wake();
}

bool worker::has_work() const noexcept {
    return !ready_.is_empty() || !forks_.is_empty() ||
           next_slot_.load(std::memory_order_acquire) != nullptr;  // S4: the parker's re-scan
}

bool worker::has_surplus() const noexcept { return ready_.size_hint() > 1 || !forks_.is_empty(); }

}  // namespace weft::detail
