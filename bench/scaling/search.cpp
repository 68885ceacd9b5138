// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The search phase: runtime/sched/search.cpp with prices.
#include <algorithm>
#include <cmath>

#include "scheduler.hpp"

namespace scaling {

namespace {
constexpr int search_passes = 4;
constexpr int last_pass = search_passes - 1;
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
        const bool above = ++group.searching > std::ceil(limit);
        if (above && core.rules.search_add == 2) {
            co_await spend(core.hardware.change(group.line, index), spent_on::idle_line);
            if (--group.searching == 0) co_await notify_one();
            break;
        }
        core.most_searching = std::max(core.most_searching, core.searching());
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
        const bool stole = co_await search_peers(pass);
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
            if (worth) any = co_await search_peers(is_left_lying ? last_pass : 0);
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

bool worker::is_near(const worker& other) const {
    return core.hardware.l3_of(other.index) == core.hardware.l3_of(index);
}

bool worker::comes_first(const worker& victim) const {
    const double most = static_cast<double>(std::max(victim.ready.size(), victim.forks.size()));
    return is_near(victim) && (core.rules.near_least <= 1 || most >= core.rules.near_least);
}

/// The others that are near, or that are not, from a random one of them on.
void worker::add_victims(bool near_ones) {
    const auto begin = static_cast<std::ptrdiff_t>(victims_.size());
    const int count = static_cast<int>(core.workers.size());
    for (int w = 0; w < count; ++w) {
        const bool first = comes_first(*core.workers[static_cast<std::size_t>(w)]);
        if (w != index && first == near_ones) victims_.push_back(w);
    }
    const auto added = static_cast<std::ptrdiff_t>(victims_.size()) - begin;
    if (added == 0) return;
    const auto start = static_cast<std::ptrdiff_t>(next_random() % static_cast<unsigned>(added));
    std::rotate(victims_.begin() + begin, victims_.begin() + begin + start, victims_.end());
}

bool worker::looks_near() {
    return core.rules.near_chance >= 1 || next_random() % 1024 < core.rules.near_chance * 1024;
}

void worker::order_victims(int pass) {
    victims_.clear();
    const bool near_first = core.rules.near_first == 1 || (core.rules.near_first == 2 && pass == 0);
    if (near_first && looks_near()) {
        add_victims(true);
        add_victims(false);
        return;
    }
    const auto count = static_cast<unsigned>(core.workers.size());
    const unsigned start = next_random() % count;
    for (unsigned i = 0; i < count; ++i) {
        const int victim = static_cast<int>((start + i) % count);
        if (victim != index) victims_.push_back(victim);
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

double worker::probe_cost(worker& victim, bool is_last) {
    ++probes;
    return core.price.probe + looks_at(victim, is_last);
}

/// A look at the ready queues of the own L3 alone, from a random one of them on.
process<bool> worker::steal_near_ready() {
    const auto least = static_cast<std::size_t>(core.rules.near_ready);
    double owed = 0;
    std::vector<worker*> near_ones;
    for (auto& other : core.workers) {
        if (other.get() != this && is_near(*other)) near_ones.push_back(other.get());
    }
    const std::size_t start = near_ones.empty() ? 0 : next_random() % near_ones.size();
    for (std::size_t i = 0; i < near_ones.size(); ++i) {
        worker& victim = *near_ones[(start + i) % near_ones.size()];
        ++probes;
        owed += core.price.probe / 2 + std::max(core.hardware.read(victim.ready_top, index),
                                                core.hardware.read(victim.ready_bottom, index));
        if (victim.ready.size() < least) continue;
        co_await spend(std::exchange(owed, 0), spent_on::search);
        const bool stole = co_await steal_ready(victim);
        if (!stole) continue;
        ++steals;
        co_return true;
    }
    co_await spend(owed, spent_on::search);
    co_return false;
}

process<bool> worker::search_peers(int pass) {
    const bool is_last = pass == last_pass;
    if (core.rules.near_ready > 0 && core.hardware.has_groups() && looks_near()) {
        const bool stole = co_await steal_near_ready();
        if (stole) co_return true;
    }
    order_victims(pass);
    std::size_t most = victims_.size();
    if (!is_last && core.rules.probe_limit > 0) {
        most = std::min(most, static_cast<std::size_t>(core.rules.probe_limit));
    }
    double owed = 0;
    for (std::size_t i = 0; i < most; ++i) {
        worker& victim = *core.workers[static_cast<std::size_t>(victims_[i])];
        owed += probe_cost(victim, is_last);
        const bool drives = is_last && core.rules.drive_peers != 0;
        const bool worth = victim.has_surplus() || !victim.ready.empty() ||
                           (is_last && victim.slot != nullptr) ||
                           (drives && (core.rules.drive_hint == 0 || !victim.events.empty()));
        if (!worth && owed < charge_at) continue;
        co_await spend(std::exchange(owed, 0), spent_on::search);
        bool stole = false;
        if (worth) stole = co_await steal_from(victim, is_last);
        if (stole) co_return true;
    }
    co_await spend(owed, spent_on::search);
    co_return false;
}

process<bool> worker::steal_from(worker& victim, bool is_last) {
    bool any = co_await steal_ready(victim);
    if (!any) any = co_await steal_fork(victim, is_last);
    if (!any && is_last) {
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

process<bool> worker::steal_fork(worker& victim, bool is_last) {
    if (victim.forks.empty()) co_return false;
    if (core.rules.steal_fence == 0) {
        const bool yields =
            core.rules.thief_yields == 1 || (core.rules.thief_yields == 2 && !is_last);
        if (yields && core.barriers_open > 0) co_return false;
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
