// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The park phase: nothing to run anywhere. Announce that, look once more, sleep until there is a
// token, a deadline or an event. A worker with descriptors sleeps in its poller, one without on the
// futex; either way it makes no system call but the wait itself until something happens.

#include <algorithm>

#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

void worker::park() noexcept {
    runnable* found = nullptr;
    bool work = core_.idle.announce_idle(index_, searching_, [&] {
        found = rescan();
        return found != nullptr || core_.is_stopping() || peers_have_work();
    });
    searching_ = false;
    if (!work) wait_for_events();
    if (core_.idle.retract_idle(index_) == retract_result::claimed) {
        parker_.clear_token();
        searching_ = true;
    }
    if (found == nullptr) return;
    my_ready_.push(found);
    leave_search();
    core_.notify_one();
}

/// Injected work must be taken to be seen: the queue's emptiness is no fact between threads.
runnable* worker::rescan() noexcept { return take_injected(); }

bool worker::peers_have_work() const noexcept {
    return std::ranges::any_of(core_.workers(), [](const auto& peer) { return peer->has_work(); });
}

void worker::wait_for_events() noexcept {
    // A peer may still be in its one non-blocking look at this shard.
    while (driving_.exchange(true, std::memory_order_acquire)) env::relax();  // S5
    time_point deadline = timers_.next_deadline();
    counts.parks.add(1);
    trace::park(trace, 0, 0, 0, trace::park_reason::idle);
    batch_ = true;
    if (reactor_.registered() == 0) {
        static_cast<void>(parker_.park_futex(deadline));
    } else if (parker_.prepare_poll()) {
        nanoseconds timeout = poller::forever;
        if (deadline != time_point::max()) {
            timeout = std::max(nanoseconds::zero(), nanoseconds{deadline - env::now()});
        }
        poll(timeout, *this);
        parker_.finish_poll();
    }
    fire_timers(*this);
    batch_ = false;
    driving_.store(false, std::memory_order_release);  // S5
    last_look_ = env::now();
    trace::unpark(trace, trace::unpark_cause::woken);
}

}  // namespace weft::detail
