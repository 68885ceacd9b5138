// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The search phase: runtime/sched/search.cpp with prices.
#include <algorithm>

#include "scheduler.hpp"

namespace scaling {

namespace {
constexpr int search_passes = 4;
constexpr int looks_past_a_single_item = 8;
constexpr std::size_t batch_limit = 32;
// Looks at peers are charged together up to here, then time passes.
constexpr double charge_at = 150;
}  // namespace

process<bool> worker::search() {
    const bool outside = co_await look_outside();
    if (outside) co_return true;
    const bool alone = core.workers.size() == 1;
    if (!searching_ && !alone) searching_ = co_await begin_search();
    bool any = false;
    if (searching_ && !alone) any = co_await search_in_passes();
    if (!any) any = co_await linger();
    if (any) co_await leave_search();
    co_return any;
}

process<bool> worker::begin_search() {
    auto& group = core.group_of(index);
    const double half = static_cast<double>(group.members) / 2;
    const double limit = core.rules.search_limit > 0 ? core.rules.search_limit : half;
    co_await spend(core.hardware.read(group.line, index), spent_on::idle_line);
    while (group.searching < limit) {
        const int seen = group.searching;
        co_await spend(core.hardware.change(group.line, index), spent_on::idle_line);
        if (group.searching != seen && core.rules.search_add == 0) {
            ++core.retries;
            continue;
        }
        ++group.searching;
        ++core.searches;
        co_return true;
    }
    ++core.refused;
    co_return false;
}

process<bool> worker::look_outside() {
    const bool injected = co_await take_injected();
    if (injected) co_return true;
    const bool woke = co_await drive_for(*this);
    if (!woke) co_return false;
    if (ready.empty()) co_return false;
    co_await spend(core.hardware.change(ready_top, index), spent_on::search);
    if (ready.empty()) co_return false;
    found = ready.front();
    ready.pop_front();
    co_return true;
}

process<bool> worker::search_in_passes() {
    for (int pass = 0; pass < search_passes; ++pass) {
        ++passes;
        if (pass != 0) co_await spend(core.price.pause, spent_on::search);
        const bool stole = co_await search_peers(pass == search_passes - 1);
        if (stole) co_return true;
        const bool injected = co_await take_injected();
        if (injected) co_return true;
    }
    co_return false;
}

process<bool> worker::linger() {
    co_await spend(core.price.clock_read, spent_on::search);
    const bool alone = core.workers.size() == 1;
    double now = core.clock.now();
    const bool may = (searching_ || alone) && core.rules.linger != 0;
    const double until = waits_.begin(now, may);
    for (int seen = 0; now < until;) {
        co_await spend(core.price.pause, spent_on::search);
        bool any = co_await look_outside();
        if (!any && !alone) {
            const bool has = co_await peers_have(false);
            seen = has ? seen + 1 : 0;
            const bool is_left_lying = seen >= looks_past_a_single_item;
            bool worth = is_left_lying;
            if (!worth) worth = co_await peers_have(true);
            if (worth) any = co_await search_peers(is_left_lying);
        }
        if (any) {
            waits_.note(true);
            co_return true;
        }
        co_await spend(core.price.clock_read, spent_on::search);
        waits_.note_look(std::exchange(now, core.clock.now()), core.clock.now());
    }
    if (waits_.lingers) waits_.note(false);
    co_return false;
}

process<nothing> worker::leave_search() {
    if (!searching_) co_return {};
    searching_ = false;
    auto& group = core.group_of(index);
    co_await spend(core.hardware.change(group.line, index), spent_on::idle_line);
    const bool last = --group.searching == 0;
    const bool below = group.searching < core.rules.wake_width;
    if ((last || (below && core.rules.wake_width > 1)) && core.rules.last_searcher != 0) {
        co_await notify_one();
    }
    co_return {};
}

void worker::order_victims() {
    const auto count = static_cast<unsigned>(core.workers.size());
    const unsigned start = next_random() % count;
    victims_.clear();
    // Near ones first or not: the order within each group is the same.
    const int mine = core.hardware.l3_of(index);
    const bool in_two_groups = core.rules.near_first != 0;
    for (int group = in_two_groups ? 0 : 1; group < 2; ++group) {
        for (unsigned i = 0; i < count; ++i) {
            const int victim = static_cast<int>((start + i) % count);
            const bool near = core.hardware.l3_of(victim) == mine;
            if (victim == index || (in_two_groups && near != (group == 0))) continue;
            victims_.push_back(victim);
        }
    }
}

double worker::looks_at(worker& victim, bool with_slot) {
    // The two ends of a deque are read side by side: the dearer of them counts.
    double taken = std::max(core.hardware.read(victim.ready_top, index),
                            core.hardware.read(victim.ready_bottom, index));
    taken += std::max(core.hardware.read(victim.forks_top, index),
                      core.hardware.read(victim.forks_bottom, index));
    if (with_slot) taken += core.hardware.read(victim.own_line, index);
    return taken - 2 * core.price.cached_read;
}

double worker::probe_cost(worker& victim, bool last_pass) {
    ++probes;
    return core.price.probe + looks_at(victim, last_pass);
}

process<bool> worker::search_peers(bool last_pass) {
    order_victims();
    std::size_t most = victims_.size();
    if (!last_pass && core.rules.probe_limit > 0) {
        most = std::min(most, static_cast<std::size_t>(core.rules.probe_limit));
    }
    double owed = 0;
    for (std::size_t i = 0; i < most; ++i) {
        worker& victim = *core.workers[static_cast<std::size_t>(victims_[i])];
        owed += probe_cost(victim, last_pass);
        const bool drives = last_pass && core.rules.drive_peers != 0;
        const bool worth = victim.has_surplus() || !victim.ready.empty() ||
                           (last_pass && victim.slot != nullptr) ||
                           (drives && (core.rules.drive_hint == 0 || !victim.events.empty()));
        if (!worth && owed < charge_at) continue;
        co_await spend(std::exchange(owed, 0), spent_on::search);
        bool stole = false;
        if (worth) stole = co_await steal_from(victim, last_pass);
        if (stole) co_return true;
    }
    co_await spend(owed, spent_on::search);
    co_return false;
}

process<bool> worker::steal_from(worker& victim, bool last_pass) {
    bool any = co_await steal_ready(victim);
    if (!any) any = co_await steal_fork(victim);
    if (!any && last_pass) {
        if (victim.slot != nullptr) {
            co_await spend(core.hardware.change(victim.own_line, index), spent_on::search);
            found = std::exchange(victim.slot, nullptr);
            any = found != nullptr;
        }
        const bool drives =
            core.rules.drive_peers != 0 && (core.rules.drive_hint == 0 || !victim.events.empty());
        bool woke = false;
        if (!any && drives) woke = co_await victim.drive_for(*this);
        if (woke && !ready.empty()) {
            found = ready.front();
            ready.pop_front();
            co_return true;
        }
    }
    if (any) ++steals;
    co_return any;
}

process<bool> worker::steal_ready(worker& victim) {
    if (victim.ready.empty()) co_return false;
    job* const oldest = victim.ready.front();
    const std::size_t seen = victim.ready.size();
    co_await spend(core.hardware.change(victim.ready_top, index), spent_on::search);
    if (victim.ready.empty() || victim.ready.front() != oldest) {
        ++lost;
        co_return false;
    }
    const std::size_t half = std::min((seen + 1) / 2, batch_limit);
    for (std::size_t i = 0; i < half && !victim.ready.empty(); ++i) {
        job* next = victim.ready.front();
        victim.ready.pop_front();
        if (i == 0) {
            found = next;
        } else {
            ready.push_back(next);
        }
        ++stolen;
    }
    if (half > 1) co_await spend(core.hardware.store(ready_bottom, index), spent_on::search);
    co_return true;
}

process<bool> worker::steal_fork(worker& victim) {
    if (victim.forks.empty()) co_return false;
    if (core.rules.steal_fence == 0) {
        if (core.rules.thief_yields != 0 && core.barriers_open > 0) co_return false;
        co_await core.heavy_fence(*this);
    } else if (core.rules.steal_fence == 2) {
        // Ask, and wait for the victim's next look and for its answer.
        const double asked = core.hardware.change(victim.own_line, index) + core.price.call;
        const double answered =
            core.price.answer_wait + core.hardware.distance(victim.index, index);
        co_await spend(asked + answered, spent_on::search);
    }
    if (victim.forks.empty()) {
        ++lost;
        co_return false;
    }
    fork_child* const oldest = victim.forks.front();
    co_await spend(core.hardware.change(victim.forks_top, index), spent_on::search);
    if (victim.forks.empty() || victim.forks.front() != oldest) {
        ++lost;
        co_return false;
    }
    const std::size_t half = (victim.forks.size() + 1) / 2;
    const auto most = std::min(half, static_cast<std::size_t>(core.rules.steal_forks));
    for (std::size_t i = 0; i < std::max<std::size_t>(most, 1); ++i) {
        fork_child* child = victim.forks.front();
        victim.forks.pop_front();
        child->parent->taken = true;
        ++stolen;
        if (found_fork == nullptr) {
            found_fork = child;
        } else {
            forks.push_front(child);  // older than what follows, so nearer to the top
        }
    }
    co_await spend(core.price.make_runnable, spent_on::search);
    co_return true;
}

process<bool> worker::take_injected() {
    co_await spend(core.hardware.read(core.tickets_line, index), spent_on::injection);
    if (core.injected.empty()) co_return false;
    co_await spend(core.hardware.change(core.tickets_line, index) + 30, spent_on::injection);
    if (core.injected.empty()) co_return false;
    found = core.injected.front();
    core.injected.pop_front();
    for (int more = 1; more < core.rules.inject_batch && !core.injected.empty(); ++more) {
        ready.push_back(core.injected.front());
        core.injected.pop_front();
    }
    co_return true;
}

/// This worker's shard, driven by `helper`'s thread.
process<bool> worker::drive_for(worker& helper) {
    const int by = helper.index;
    co_await helper.spend(core.hardware.change(own_line, by), spent_on::poll);
    if (driving) co_return false;
    driving = true;
    co_await helper.spend(core.price.clock_read + 2 * core.hardware.change(timer_line, by),
                          spent_on::poll);
    if (core.has_descriptors) co_await helper.spend(core.price.poll_call, spent_on::poll);
    const bool woke = !events.empty();
    helper.batch = true;
    while (!events.empty()) {
        job* next = events.front();
        events.pop_front();
        co_await helper.spend(core.price.poll_event, spent_on::poll);
        co_await helper.submit_back(*next);
    }
    helper.batch = false;
    driving = false;
    co_await helper.spend(core.hardware.store(own_line, by), spent_on::poll);
    co_return woke;
}

process<bool> worker::peers_have(bool surplus) {
    double owed = 0;
    for (auto& peer : core.workers) {
        if (peer.get() == this) continue;
        owed += core.price.probe / 2 + looks_at(*peer, !surplus);
        ++probes;
        const bool has = surplus ? peer->has_surplus() : peer->has_work();
        if (!has && owed < charge_at) continue;
        co_await spend(std::exchange(owed, 0), spent_on::search);
        if (has) co_return true;
    }
    co_await spend(owed, spent_on::search);
    co_return false;
}

}  // namespace scaling
