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

namespace {
constexpr nanoseconds first_watch{1'000'000};
constexpr nanoseconds longest_watch{4'000'000};
}  // namespace

void worker::park() noexcept {
    runnable* found = nullptr;
    bool work = core_.idle.announce_idle(index_, searching_, [&] {
        found = rescan();
        if (found != nullptr || core_.is_stopping()) return true;
        // Whoever searches looks at the peers, and when it is the last, notifies (idle_set's I3).
        return core_.idle.searching() == 0 && peers_have_work();
    });
    searching_ = false;
    if (!work) sleep_until_something();
    if (core_.idle.retract_idle(index_) == retract_result::claimed) {
        parker_.clear_token();
        searching_ = true;
    } else if (work && found == nullptr) {
        // A producer may have seen this worker searching and called nobody: go on searching.
        searching_ = core_.idle.begin_search();
    } else if (!work) {
        owes_watch_ = !alone_;
    }
    if (found == nullptr) return;
    queue(*found);
    leave_search();
    core_.notify_one();
}

// One idle worker keeps watch while a peer is awake: it sleeps for a few milliseconds at a time and
// then searches, which serves what a busy peer cannot: its single ready task, its timers, its
// descriptors. When all are idle nobody keeps watch, and nobody wakes up without a cause.
//
// W1 wakes by an event of its own while W2 goes to sleep: W2 announced itself, then looks who is
// awake; W1 retracts, then looks whether somebody keeps watch. By the fence of the announcement one
// of them sees the other: W2 sleeps with a limit, or W1 calls it.
//
// W1 looks only once it has something to run. If it called whenever it wakes, the end of a watch
// that found nothing would call W2, which then is the awake peer that W1 has to watch, for ever.
void worker::sleep_until_something() noexcept {
    owes_watch_ = false;
    bool watching = !alone_ && core_.idle.idle_count() < core_.workers().size();
    if (!watching) {
        watch_interval_ = first_watch;
        wait_for_events(time_point::max());
        return;
    }
    core_.watched.store(true, std::memory_order_relaxed);  // advisory: call_watch's fence orders
    wait_for_events(env::now() + watch_interval_);
    watch_interval_ = std::min(2 * watch_interval_, longest_watch);
    core_.watched.store(false, std::memory_order_relaxed);  // advisory: this worker is awake
}

void worker::call_watch() noexcept {
    if (!owes_watch_) return;
    owes_watch_ = false;
    env::light_fence();                                    // the retraction before the look
    if (!core_.watched.load(std::memory_order_relaxed)) {  // advisory: one more wake-up at worst
        core_.notify_one();
    }
}

/// Injected work must be taken to be seen: the queue's emptiness is no fact between threads.
runnable* worker::rescan() noexcept { return take_injected(); }

bool worker::peers_have_work() const noexcept {
    return std::ranges::any_of(core_.workers(), [](const auto& peer) { return peer->has_work(); });
}

bool worker::peers_have_surplus() const noexcept {
    return std::ranges::any_of(core_.workers(),
                               [](const auto& peer) { return peer->has_surplus(); });
}

void worker::wait_for_events(time_point limit) noexcept {
    // A peer may still be in its one non-blocking look at this shard.
    while (driving_.exchange(true, std::memory_order_acquire)) env::relax();  // S5
    time_point deadline = std::min(limit, timers_.next_deadline());
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
        if (poll(timeout, *this)) cause = trace::unpark_cause::io;
        if (parker_.finish_poll()) cause = trace::unpark_cause::woken;
    }
    if (fire_timers(*this)) cause = trace::unpark_cause::timer;
    batch_ = false;
    driving_.store(false, std::memory_order_release);  // S5
    last_look_ = env::now();
    if (cause != trace::unpark_cause::timeout) waits_.end_asleep(last_look_);
    trace::unpark(trace, cause);
}

}  // namespace weft::detail
