// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The run and submit phases, and what the kernel does for them. See search.cpp and park.cpp.
#include "scheduler.hpp"

#include <algorithm>
#include <bit>

namespace scaling {

namespace {
constexpr int slot_limit = 3;
constexpr unsigned look_interval = 61;
constexpr int forks_per_turn = 1024;
constexpr double poll_interval = 20'000;
constexpr double warm_up = 100e6;
constexpr int turns_without_visitors = 64;
constexpr int enough_short = 6;
constexpr double wake_up = 10'000;
constexpr double longest_look = 100'000;
constexpr double suspension = 10'000'000;
}  // namespace

const std::array<const char*, spent_kinds> spent_names = {
    "work",      "announce", "search",   "idle_line", "injection", "fence",
    "interrupt", "wake",     "registry", "poll",      "sleep"};

double wait_history::begin(double now, bool may_linger) {
    began = now;
    lingers = may_linger && std::popcount(recent) >= enough_short && now >= suspended_until;
    return lingers ? now + limit : now;
}
void wait_history::note_look(double before, double now) {
    if (now - before > longest_look) suspended_until = now + suspension;
}
void wait_history::note(bool was_short) {
    recent = ((recent << 1) | (was_short ? 1u : 0u)) & 0xffffu;
}
void wait_history::end_asleep(double now) {
    if (!lingers) note(now - began <= limit + wake_up);
}

worker::worker(scheduler& runtime, int number)
    : core(runtime),
      index(number),
      random_((0x9e3779b9u * (static_cast<unsigned>(number) + 1)) ^ (runtime.seed * 2654435761u)) {
    if (random_ == 0) random_ = 1;
    own_line.holder = ready_top.holder = ready_bottom.holder = number;
    forks_top.holder = forks_bottom.holder = timer_line.holder = live_line.holder = number;
}

delay worker::spend(double ns, spent_on what) {
    spent[static_cast<std::size_t>(what)] += ns;
    spent[static_cast<std::size_t>(spent_on::interrupt)] += debt;
    const double taken = ns + debt;
    debt = 0;
    return {core.clock, taken};
}

unsigned worker::next_random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
}

// ---- run ----------------------------------------------------------------------------------------

process<nothing> worker::loop() {
    for (;;) {
        const bool had_work = co_await step();
        if (!had_work) co_await park();
    }
}

process<bool> worker::step() {
    co_await spend(core.price.turn, spent_on::work);
    if (++tick_ % look_interval == 0) {
        co_await look_around();
        const bool injected = co_await take_injected();
        if (injected) {
            co_await run(std::exchange(found, nullptr));
            co_return true;
        }
    }
    const bool was_local = co_await run_next_local();
    if (was_local) co_return true;
    const bool any = co_await search();
    if (!any) co_return false;
    if (found_fork != nullptr) {
        co_await run_stolen(std::exchange(found_fork, nullptr));
    } else {
        co_await run(std::exchange(found, nullptr));
    }
    co_return true;
}

process<bool> worker::run_next_local() {
    job* next = nullptr;
    double taken = 0;
    if (slot != nullptr && slot_streak_ < slot_limit) {
        ++slot_streak_;
        taken += core.hardware.change(own_line, index);
        next = std::exchange(slot, nullptr);
    } else {
        slot_streak_ = 0;
        if (fork_child* child = pop_fork(taken)) {
            co_await spend(taken + core.price.make_runnable, spent_on::work);
            co_await run_stolen(child);
            co_return true;
        }
        if (!ready.empty()) {
            taken += core.hardware.change(ready_top, index);
            next = ready.front();
            ready.pop_front();
        } else if (slot != nullptr) {
            taken += core.hardware.change(own_line, index);
            next = std::exchange(slot, nullptr);
        }
    }
    if (next == nullptr) co_return false;
    co_await spend(taken, spent_on::work);
    co_await run(next);
    co_return true;
}

process<nothing> worker::before_running() {
    if (searching_ || owes_watch_) {
        co_await leave_search();
        co_await call_watch();
    }
    co_return {};
}

/// What a task costs that was last at another worker.
double worker::bring_here(int place) const {
    return core.price.task_lines * core.hardware.distance(place, index);
}

process<nothing> worker::run(job* next) {
    co_await before_running();
    const double brought = bring_here(std::exchange(next->place, index));
    if (brought > 0) co_await spend(brought, spent_on::work);
    co_await core.what->run(*this, *next);
    co_return {};
}

process<nothing> worker::run_stolen(fork_child* next) {
    co_await before_running();
    const double brought = next->parent != nullptr ? bring_here(next->parent->home) : 0;
    if (brought > 0) co_await spend(brought, spent_on::work);
    co_await core.what->run_fork(*this, next);
    co_return {};
}

process<nothing> worker::look_around() {
    co_await spend(core.price.clock_read, spent_on::poll);
    if (core.clock.now() - last_look_ < poll_interval) co_return {};
    last_look_ = core.clock.now();
    co_await drive_for(*this);
    co_return {};
}

// ---- submit -------------------------------------------------------------------------------------

process<nothing> worker::submit_woken(job& next) {
    if (core.workers.size() == 1 || batch) {
        co_await submit_back(next);
        co_return {};
    }
    co_await spend(core.hardware.change(own_line, index), spent_on::work);
    job* before = std::exchange(slot, &next);
    if (before != nullptr) {
        ready.push_back(before);
        co_await spend(core.hardware.store(ready_bottom, index), spent_on::work);
    }
    if (before != nullptr || !ready.empty()) co_await notify_one();
    co_return {};
}

process<nothing> worker::submit_back(job& next) {
    ready.push_back(&next);
    const double taken = core.hardware.store(ready_bottom, index);
    if (taken > 0) co_await spend(taken, spent_on::work);
    if (core.workers.size() > 1 && ready.size() > 1) co_await notify_one();
    co_return {};
}

double worker::look_at_idle_set(bool& must_call) {
    auto& group = core.group_of(index);
    double taken = core.hardware.read(group.line, index);
    if (core.rules.idle_groups != 0) taken += core.hardware.read(core.summary_line, index);
    if (core.rules.park_fence == 1) taken += core.price.fence;
    must_call = group.searching < core.rules.wake_width && core.idle.any();
    return taken;
}

process<nothing> worker::notify_one() {
    bool must_call = false;
    auto& mine = core.group_of(index);
    co_await spend(look_at_idle_set(must_call), spent_on::announce);
    while (must_call) {
        // Time passes, then the compare-exchange decides.
        co_await spend(core.hardware.change(mine.line, index), spent_on::idle_line);
        if (mine.searching >= core.rules.wake_width) co_return {};
        ++mine.searching;
        const int claimed = core.choose_idle(index);
        if (claimed >= 0) {
            co_await spend(core.hardware.change(core.bits_of(claimed), index), spent_on::idle_line);
        }
        if (claimed >= 0 && core.idle[static_cast<std::size_t>(claimed)]) {
            // The claimed one searches in its own group's name.
            --mine.searching;
            ++core.group_of(claimed).searching;
            co_await spend(core.mark_awake(claimed, index), spent_on::idle_line);
            co_await unpark(*core.workers[static_cast<std::size_t>(claimed)]);
            co_return {};
        }
        co_await spend(core.hardware.change(mine.line, index), spent_on::idle_line);
        --mine.searching;
        co_await spend(look_at_idle_set(must_call), spent_on::announce);
    }
    co_return {};
}

process<nothing> worker::unpark(worker& target) {
    co_await spend(core.hardware.change(target.own_line, index), spent_on::wake);
    if (target.asleep && !target.waking) {
        ++core.wakes;
        core.wake(target, core.price.wake_latency);
        co_await spend(core.price.wake_call, spent_on::wake);
    } else {
        target.token = true;
    }
    co_return {};
}

double worker::push_fork(fork_child* child) {
    forks.push_back(child);
    return core.hardware.store(forks_bottom, index);
}

fork_child* worker::pop_fork(double& taken) {
    if (forks.empty()) return nullptr;
    taken += core.hardware.store(forks_bottom, index);
    if (core.rules.steal_fence == 1) taken += core.price.fence;
    // The top is read, and changed where the last one is claimed.
    taken += forks.size() == 1 ? core.hardware.change(forks_top, index)
                               : core.hardware.read(forks_top, index) - core.price.cached_read;
    fork_child* child = forks.back();
    forks.pop_back();
    if (++forks_popped_ % forks_per_turn == 0) taken += core.price.clock_read;
    return child;
}

// ---- the list of live tasks ---------------------------------------------------------------------

process<nothing> worker::enlist(job& begun) {
    begun.creator = index;
    if (core.workers.size() == 1 || biased) co_return {};
    co_await spend(core.hardware.change(live_line, index) + core.price.create_lock,
                   spent_on::registry);
    if (++streak >= turns_without_visitors && core.rules.plain_registry == 0) biased = true;
    co_return {};
}

process<nothing> worker::visit(worker& creator) {
    const double taken = core.hardware.change(creator.live_line, index) + core.price.create_lock;
    creator.live_line.free_at = core.clock.now() + taken;
    co_await spend(taken, spent_on::registry);
    creator.streak = 0;
    if (!std::exchange(creator.biased, false)) co_return {};
    co_await core.heavy_fence(*this);
    co_return {};
}

process<nothing> worker::delist(job& ended) {
    co_await spend(core.price.finish, spent_on::registry);
    if (ended.creator < 0) co_return {};
    worker& creator = *core.workers[static_cast<std::size_t>(ended.creator)];
    if (&creator == this) {
        if (biased) co_return {};
        co_await spend(core.hardware.change(live_line, index), spent_on::registry);
        if (++streak >= turns_without_visitors && core.rules.plain_registry == 0) biased = true;
        co_return {};
    }
    co_await visit(creator);
    co_return {};
}

// ---- what the workers share ---------------------------------------------------------------------

scheduler::scheduler(const costs& given, const variant& changed, int count, int l3_cores,
                     int socket_cores, unsigned start)
    : price(given),
      rules(changed),
      hardware(clock, price, count + 1, l3_cores, socket_cores),
      seed(start) {
    groups.resize(static_cast<std::size_t>(hardware.l3_of(count)) + 1);
    for (int i = 0; i < count; ++i) {
        workers.push_back(std::make_unique<worker>(*this, i));
        ++group_of(i).members;
    }
}

void scheduler::run(program& given, double limit) {
    what = &given;
    std::vector<process<nothing>> loops;
    for (auto& w : workers) loops.push_back(w->loop());
    for (auto& loop : loops) loop.start_at(clock, 0);
    clock.run(warm_up, done);  // all have gone to sleep
    began = clock.now();
    wakes = barriers = searches = refused = retries = 0;
    most_searching = 0;
    barrier_waited = tickets_line.waited = 0;
    for (auto& group : groups) group.line.waited = 0;
    for (auto& w : workers) {
        w->spent = {};
        w->ran = w->steals = w->stolen = w->parks = w->probes = w->passes = w->lost = 0;
    }
    given.start(*this);
    clock.run(began + limit, done);
}

void scheduler::begin_with(job& first) {
    starter_.push_back(inject(first));
    starter_.back().start_at(clock, clock.now());
}

int scheduler::choose_idle(int by) {
    const bool near_first = rules.idle_groups != 0 || rules.wake_near != 0;
    int first = -1;
    const int count = static_cast<int>(workers.size());
    for (int w = 0; w < count; ++w) {
        if (!idle[static_cast<std::size_t>(w)]) continue;
        if (!near_first || hardware.l3_of(w) == hardware.l3_of(by)) return w;
        if (first < 0) first = w;
    }
    return first;
}

double scheduler::mark_idle(int worker) {
    idle.set(static_cast<std::size_t>(worker));
    const bool first = ++group_of(worker).idle_count == 1;
    return rules.idle_groups != 0 && first ? hardware.change(summary_line, worker) : 0;
}

double scheduler::mark_awake(int worker, int by) {
    idle.reset(static_cast<std::size_t>(worker));
    const bool last = --group_of(worker).idle_count == 0;
    return rules.idle_groups != 0 && last ? hardware.change(summary_line, by) : 0;
}

int scheduler::searching() const {
    int sum = 0;
    for (const auto& group : groups) sum += group.searching;
    return sum;
}

process<nothing> scheduler::heavy_fence(worker& caller) {
    double hold = price.membarrier_scan * static_cast<double>(workers.size());
    bool any = false;
    for (auto& other : workers) {
        if (other->asleep || other.get() == &caller) continue;
        any = true;
        other->debt += price.ipi_taken;
        hold += price.ipi_lines * hardware.distance(caller.index, other->index);
    }
    if (any) hold += price.ipi_wait;
    double begin = clock.now() + price.membarrier_call;
    if (price.membarrier_serial != 0) {
        begin = std::max(begin, barrier_free);
        barrier_free = begin + hold;
    }
    barrier_waited += begin + hold - clock.now();
    ++barriers;
    ++barriers_open;
    co_await caller.spend(begin + hold - clock.now(), spent_on::fence);
    --barriers_open;
    co_return {};
}

process<nothing> scheduler::inject(job& ready) {
    const int foreigner = static_cast<int>(workers.size());
    co_await delay{clock, hardware.change(tickets_line, foreigner)};
    injected.push_back(&ready);
    idle_group& any = groups.front();
    co_await delay{clock, hardware.read(any.line, foreigner)};
    if (any.searching >= rules.wake_width || idle.none()) co_return {};
    co_await delay{clock, 2 * hardware.change(any.line, foreigner)};
    if (any.searching >= rules.wake_width || idle.none()) co_return {};
    const int claimed = choose_idle(0);
    ++group_of(claimed).searching;
    co_await delay{clock, mark_awake(claimed, foreigner)};
    worker& target = *workers[static_cast<std::size_t>(claimed)];
    if (target.asleep && !target.waking) {
        ++wakes;
        wake(target, price.wake_latency);
        co_await delay{clock, price.wake_call};
    } else {
        target.token = true;
    }
    co_return {};
}

void scheduler::wake(worker& target, double after) {
    target.waking = true;
    clock.schedule(clock.now() + after, target.sleeper, &target.sleeps, target.sleeps);
}

void scheduler::raise(int shard, job& ready) {
    worker& home = *workers[static_cast<std::size_t>(shard)];
    ready.place = shard;
    home.events.push_back(&ready);
    if (home.asleep && !home.waking) wake(home, price.wake_latency);
}

bool scheduler::work_is_queued() const {
    if (!injected.empty()) return true;
    return std::ranges::any_of(workers,
                               [](const auto& w) { return w->has_work() || !w->events.empty(); });
}

}  // namespace scaling
