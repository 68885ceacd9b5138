// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The park phase: runtime/sched/park.cpp and idle_set's side of it, with prices.
#include <algorithm>
#include <limits>

#include "scheduler.hpp"

namespace scaling {

namespace {
constexpr double first_watch = 1e6;
constexpr double longest_watch = 4e6;
constexpr double forever = std::numeric_limits<double>::infinity();

/// Sleeps until woken or until `limit`.
struct nap {
    worker& who;
    double limit;
    [[nodiscard]] bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> self) const {
        who.sleeper = self;
        who.asleep = true;
        if (limit == forever) return;
        const double when = std::max(limit, who.core.clock.now()) + who.core.price.timer_late;
        who.core.clock.schedule(when, self, &who.sleeps, who.sleeps);
    }
    void await_resume() const {
        ++who.sleeps;
        who.asleep = false;
        who.waking = false;
        who.debt = 0;
    }
};

}  // namespace

process<nothing> worker::announce_idle() {
    auto& group = core.group_of(index);
    co_await spend(core.hardware.change(core.bits_of(index), index), spent_on::idle_line);
    co_await spend(core.mark_idle(index), spent_on::idle_line);
    if (searching_) {
        co_await spend(core.hardware.change(group.line, index), spent_on::idle_line);
        --group.searching;
        searching_ = false;
    }
    if (core.rules.rescan == 0) co_return {};
    if (core.rules.park_fence == 0) {
        co_await core.heavy_fence(*this);
    } else {
        co_await spend(core.price.fence, spent_on::fence);
    }
    co_return {};
}

process<nothing> worker::park() {
    const bool alone = core.workers.size() == 1;
    co_await announce_idle();
    bool took = false;
    bool work = false;
    if (core.rules.rescan != 0) {
        took = work = co_await take_injected();
        if (!work) {
            auto& group = core.group_of(index);
            co_await spend(core.hardware.read(group.line, index), spent_on::idle_line);
            if (group.searching == 0) work = co_await peers_have(false);
        }
    }
    if (!work) co_await sleep_until_something();
    co_await spend(core.hardware.change(core.bits_of(index), index), spent_on::idle_line);
    if (!core.idle[static_cast<std::size_t>(index)]) {  // claimed
        token = false;
        searching_ = true;
    } else {
        co_await spend(core.mark_awake(index, index), spent_on::idle_line);
        if (work && !took) {
            searching_ = co_await begin_search();
        } else if (!work) {
            owes_watch_ = !alone;
        }
    }
    if (!took) co_return {};
    ready.push_back(std::exchange(found, nullptr));
    co_await leave_search();
    co_await notify_one();
    co_return {};
}

process<nothing> worker::sleep_until_something() {
    owes_watch_ = false;
    co_await spend(core.hardware.read(core.group_of(index).line, index), spent_on::idle_line);
    const bool watching = core.workers.size() > 1 && core.rules.watch != 0 &&
                          core.idle_count() < static_cast<int>(core.workers.size());
    if (!watching) {
        watch_interval_ = first_watch;
        co_await wait_for_events(forever);
        co_return {};
    }
    core.watched = true;
    co_await spend(core.hardware.store(core.watched_line, index), spent_on::sleep);
    co_await wait_for_events(core.clock.now() + watch_interval_);
    watch_interval_ = std::min(2 * watch_interval_, longest_watch);
    core.watched = false;
    co_await spend(core.hardware.store(core.watched_line, index), spent_on::sleep);
    co_return {};
}

process<nothing> worker::call_watch() {
    if (!owes_watch_) co_return {};
    owes_watch_ = false;
    co_await spend(core.hardware.read(core.watched_line, index), spent_on::announce);
    if (!core.watched) co_await notify_one();
    co_return {};
}

process<bool> worker::wait_for_events(double limit) {
    while (driving) co_await spend(core.price.pause, spent_on::sleep);
    driving = true;
    ++parks;
    co_await spend(core.hardware.change(own_line, index), spent_on::sleep);
    bool woken = token;
    if (!token && events.empty()) {
        co_await spend(core.price.sleep_call, spent_on::sleep);
        if (!token && events.empty()) {
            double from = core.clock.now();
            co_await nap{*this, limit};
            from = std::max(from, core.began);  // what the warm-up took does not count
            spent[static_cast<std::size_t>(spent_on::sleep)] += core.clock.now() - from;
            woken = limit > core.clock.now();
        }
    }
    token = false;
    batch = true;
    const bool had_events = !events.empty();
    while (!events.empty()) {
        job* next = events.front();
        events.pop_front();
        co_await spend(core.price.poll_event, spent_on::poll);
        co_await submit_back(*next);
    }
    batch = false;
    driving = false;
    last_look_ = core.clock.now();
    if (woken || had_events) waits_.end_asleep(last_look_);
    co_return woken;
}

}  // namespace scaling
