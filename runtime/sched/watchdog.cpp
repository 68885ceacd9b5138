// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/watchdog.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "sched/runtime_core.hpp"
#include "weft/task/pool_allocator.hpp"
#include "weft/trace/session.hpp"

namespace weft::detail {

namespace {

constexpr nanoseconds look_interval{2'000'000};
constexpr nanoseconds second_look{500'000};  // at who has made no step since the last one
constexpr nanoseconds shortest_pause{100'000};
constexpr nanoseconds longest_pause{80'000'000};
constexpr nanoseconds least_computing{200'000};  // since its second look
constexpr unsigned looks_until_stuck = 2;
constexpr nanoseconds rescue_outlasts{50'000'000};
constexpr nanoseconds pool_rests{1'000'000'000};
constexpr std::size_t least_returned = std::size_t{1} << 20;  // bytes

}  // namespace

void watchdog::start() {
    const nanoseconds slow = core_.options().slow_run;
    if (core_.is_single() && slow == nanoseconds::zero()) return;  // nothing to do
    pause_ = interval_ = core_.is_single() ? std::max(look_interval, slow / 2) : look_interval;
    sights_.resize(core_.worker_capacity());
    thread_.reserve(1);
    thread_.emplace_back(std::size_t{0}, &enter, this);
}

void watchdog::stop() noexcept {
    gate_.close();
    for (worker_thread& t : thread_) t.join();
    thread_.clear();
}

bool watchdog::is_this_thread() const noexcept {
    return runs_.load(std::memory_order_acquire) && std::this_thread::get_id() == id_;  // V2
}

bool watchdog::wants(unsigned index) const noexcept {
    return duty_.wants(index - core_.worker_count());
}

void watchdog::enter(void* self) noexcept {
    pthread_setname_np(pthread_self(), "weft-watchdog");
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);  // its sleeps may be a timer's
    auto& mine = *static_cast<watchdog*>(self);
    mine.id_ = std::this_thread::get_id();
    mine.runs_.store(true, std::memory_order_release);  // V2
    trace::attach(mine.trace_, trace::emitter_kind::foreign, 0, "watchdog");
    mine.loop();
    trace::detach(mine.trace_);
    mine.runs_.store(false, std::memory_order_release);  // V2: another thread may get the id
}

void watchdog::loop() noexcept {
    time_point next = env::now() + interval_;
    while (gate_.pause(next)) {
        next = look();
        static_cast<void>(tend_pool());
        seek_deadlocks();
        if (!all_are_idle()) {
            pause_ = interval_;
        } else if (core_.is_single() && !is_long_quiet()) {
            next = env::now() + pause_;
        } else {
            const auto all_idle = [this] { return all_are_idle(); };
            const auto until = [this] { return std::min(tend_pool(), deadlocks_due()); };
            if (!gate_.sleep_while(all_idle, until)) return;
            next = env::now() + interval_;
        }
    }
}

/// Trims the pool if much has come back to it and it has been quiet since; returns when to look
/// again for that.
time_point watchdog::tend_pool() noexcept {
    const time_point now = env::now();
    const pool_use use = frame_pool_use();
    if (use.changes != std::exchange(pool_changes_, use.changes)) pool_quiet_since_ = now;
    if (use.returned < least_returned) return time_point::max();
    const time_point due = pool_quiet_since_ + pool_rests;
    if (now < due) return due;
    trim_pool();
    return time_point::max();
}

/// Beside a single worker there is nothing to serve, only to name: so that a program with something
/// to do every few milliseconds need not call the watchdog each time, it looks less and less often.
bool watchdog::is_long_quiet() noexcept {
    const std::uint64_t progress = core_.workers()[0]->progress();
    const bool is_new = progress != std::exchange(quiet_progress_, progress);
    pause_ = std::min(2 * pause_, longest_pause);
    return !is_new && pause_ == longest_pause;
}

bool watchdog::all_are_idle() const noexcept {
    return std::ranges::all_of(core_.workers(), [this](const auto& w) {
        return core_.idle.is_idle(w->index()) || w->is_on_bench();
    });
}

/// Looks at every worker and does what is to be done; returns when to look again.
time_point watchdog::look() noexcept {
    const time_point now = env::now();
    time_point next = now + interval_;
    bool all_stuck = true;
    bool some_free = false;
    bool some_offer = false;
    for (const auto& w : core_.workers()) {
        const bool is_idle = core_.idle.is_idle(w->index());
        const bool rests = !is_idle && w->is_on_bench();
        some_offer = some_offer || w->is_offering();
        unsigned looks = 0;
        if (is_idle || rests)
            sights_[w->index()] = {};
        else
            looks = look_at(*w, now);
        w->note_kept(looks >= looks_until_stuck);
        if (looks >= looks_until_stuck) {
            next = std::min(next, serve(*w, now));
            continue;
        }
        if (looks != 0) next = std::min(next, now + second_look);
        if (!rests) all_stuck = false;
        some_free = some_free || w->index() < core_.worker_count();
    }
    if (some_offer && !core_.is_single()) core_.notify_one();  // P4 of idle_set.hpp
    if (all_stuck && duty_.wanted() < most_rescuers() && all_are_kept())
        set_duty(duty_.wanted() + 1);
    if (!some_free || free_since_ == time_point{}) free_since_ = now;
    if (duty_.wanted() != 0 && now - free_since_ >= rescue_outlasts) set_duty(0);
    return std::max(next, now + shortest_pause);
}

unsigned watchdog::most_rescuers() const noexcept {
    return core_.worker_capacity() - core_.worker_count();
}

/// How often the worker was seen where it is now, after the first time.
unsigned watchdog::look_at(worker& seen, time_point now) noexcept {
    sight& last = sights_[seen.index()];
    const std::uint64_t progress = seen.progress();
    const bool is_new = last.since == time_point{} || progress != last.progress;
    if (is_new || seen.current.is_empty()) {
        // Not before the progress was read: what comes next has not lasted longer.
        last = {progress, 0, env::now(), {}, false};
        const bool looks_itself = now - seen.last_look() < 2 * interval_;
        if (!looks_itself && !core_.is_single()) seen.drive(trace_, counts);
        return 0;
    }
    if (++last.looks == 1) last.used = seen.processor_time.used();
    name_if_slow(seen, last, now);
    return last.looks;
}

/// Whether they compute or block, all that are awake, and do not only wait for a core.
bool watchdog::all_are_kept() const noexcept {
    return std::ranges::all_of(core_.workers(), [this](const auto& w) {
        if (w->is_on_bench()) return true;
        const nanoseconds used = w->processor_time.used() - sights_[w->index()].used;
        return used >= least_computing || w->processor_time.is_blocked().value_or(true);
    });
}

/// Does for a stuck worker what it cannot; returns when it is needed again.
time_point watchdog::serve(worker& stuck, time_point now) noexcept {
    if (core_.is_single()) return time_point::max();  // nobody could run what becomes ready
    stuck.drive(trace_, counts);
    if (stuck.has_work()) core_.notify_one();
    return std::max(stuck.timers().next_deadline(), now);
}

void watchdog::set_duty(unsigned wanted) noexcept {
    const bool is_ready = wanted <= duty_.wanted() || begin_rescue(wanted - 1);
    if (!is_ready) return;  // no thread to be had: again at the next look
    const unsigned first = core_.worker_count();
    duty_.set(wanted, [&](unsigned i) { core_.workers()[first + i]->unpark(); });
    free_since_ = {};
}

bool watchdog::begin_rescue(unsigned number) noexcept {
    if (core_.worker_count() + number < core_.workers().size()) return true;
    try {
        core_.start_rescue_worker();
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

void watchdog::set_handler(slow_run_handler handler) {
    auto fresh = handler ? std::make_shared<const slow_run_handler>(std::move(handler)) : nullptr;
    std::lock_guard guard{handler_mutex_};
    handler_.swap(fresh);
}

}  // namespace weft::detail
