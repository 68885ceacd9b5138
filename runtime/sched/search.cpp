// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The search phase: nothing is left in this worker's own queues. Look at what comes from outside,
// at timers and descriptors, then at the other workers, in random order; where there are several L3
// caches, at the longer ready queues of the own one before (docs/decisions/0017). Where the last
// waits were short, linger: go on looking for a moment, as a searcher, before parking.

#include <memory>
#include <new>
#include <span>
#include <utility>

#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {
constexpr std::uint64_t search_passes = 4;
constexpr unsigned most_taken_at_once = 32;
// A peer is about to run its only ready item itself, unless it is busy with something longer.
constexpr unsigned looks_past_a_single_item = 8;
}  // namespace

runnable* worker::search() noexcept {
    if (runnable* next = look_outside()) return next;
    if (runnable* next = take(priority::background)) return next;  // came from outside
    searching_ = searching_ || (!alone_ && core_.idle.begin_search());
    runnable* found = searching_ && !alone_ ? search_in_passes() : nullptr;
    if (found == nullptr) found = linger();
    if (found != nullptr) leave_search();
    return found;  // nullptr: a searcher still, if it was one; park() announces that
}

runnable* worker::look_outside() noexcept {
    if (runnable* next = take_injected()) return next;
    return drive_if_free() ? next_local() : nullptr;
}

runnable* worker::search_in_passes() noexcept {
    runnable* found = nullptr;
    std::uint64_t pass = 0;
    for (; found == nullptr && pass < search_passes; ++pass) {
        if (pass != 0) env::relax();
        found = search_peers(pass == search_passes - 1);
        if (found == nullptr) found = take_injected();
        if (found == nullptr) found = take(priority::background);
    }
    trace::search(trace, pass, pass * (core_.workers().size() - 1), 0);
    return found;
}

runnable* worker::linger() noexcept {
    time_point now = env::now();
    batches_.end_busy(now, counts.resumptions.read());
    const time_point until = waits_.begin(now, searching_ || alone_);
    for (unsigned seen = 0; now < until && !core_.is_stopping();) {
        env::relax();
        runnable* found = look_outside();
        if (found == nullptr) found = take(priority::background);
        if (found == nullptr && !alone_) {
            seen = peers_have_work() ? seen + 1 : 0;
            const bool is_left_lying = seen >= looks_past_a_single_item;
            if (is_left_lying || peers_have_surplus()) found = search_peers(is_left_lying);
        }
        if (found != nullptr) {
            waits_.end_awake();
            batches_.begin_busy(now, counts.resumptions.read());
            return found;
        }
        const time_point before = std::exchange(now, env::now());
        waits_.note_look(before, now);
    }
    waits_.end_looking();
    return nullptr;
}

void worker::leave_search() noexcept {
    if (!searching_) return;
    searching_ = false;
    if (core_.idle.finish_search_found()) core_.notify_one();
}

runnable* worker::search_peers(bool last_pass) noexcept {
    const auto all = core_.workers();
    random_ ^= random_ << 13;  // xorshift: G. Marsaglia, Xorshift RNGs (2003)
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    // Not each time: queues nearby that never run short would keep the far ones waiting for ever.
    const bool looks_near = random_ >> 29 != 0;
    if (looks_near && core_.places.has_groups()) {
        if (runnable* found = steal_nearby(all)) return found;
    }
    const round_trip way{all.size(), random_ % all.size(), index_};
    return visit_others(way, [&](std::size_t w) {
        return steal_from(*all[w], {.last_pass = last_pass, .in_turn = true});
    });
}

void worker::note_place() noexcept {
    if (core_.places.has_groups()) core_.places.note(index_, current_cpu());
}

/// From a peer of the own L3 one of whose ready queues has two or more: half of its latency queue,
/// or of the normal one if that is empty. Not the forks, and nothing from peers with single ones:
/// those are the crumbs of neighbours, where the large pieces lie elsewhere.
runnable* worker::steal_nearby(std::span<const std::unique_ptr<worker>> all) noexcept {
    const std::uint16_t here = core_.places.note(index_, current_cpu());
    const auto take_half = [&](std::size_t w) -> runnable* {
        worker& victim = *all[w];
        if (victim.ready_count(priority::normal) < 2 && victim.ready_count(priority::latency) < 2)
            return nullptr;
        const auto some = steal_ranked(victim);
        return some ? take_loot(victim, some.item, 1 + some.moved) : nullptr;
    };
    const round_trip way{all.size(), random_ >> 8, index_};
    return visit_near(core_.places, here, way, take_half);
}

stolen<runnable> worker::steal_ranked(worker& victim) noexcept {
    const auto urgent = steal_ready(victim, priority::latency);
    return urgent ? urgent : steal_ready(victim, priority::normal);
}

runnable* worker::take_loot(worker& victim, runnable* found, std::size_t got) noexcept {
    found_in_ = trace::run_source::stolen;
    counts.steals.add(1);
    counts.stolen.add(got);
    trace::steal(trace, victim.index_, got, 1);
    return found;
}

/// Who has slept, or was about to, over forks that nobody was stealing does not wait for its turn
/// again: another thief may have it and no core.
stolen<promise_base> worker::steal_fork(worker& victim, bool in_turn) noexcept {
    const auto thief = victim.forks_.thief();
    if (in_turn && !passes_turn_) return thief.steal(core_.fork_thief);
    if (!victim.forks_.is_empty()) passes_turn_ = false;
    return thief.steal();
}

runnable* worker::steal_from(worker& victim, how_to_steal how) noexcept {
    if (auto some = steal_ranked(victim)) return take_loot(victim, some.item, 1 + some.moved);
    const auto fork = steal_fork(victim, how.in_turn);
    if (fork) return take_loot(victim, &make_runnable(*fork.item, *this), 1);
    // They come before what is below; who leaves them sees them before it sleeps.
    if (fork.outcome == steal_outcome::not_in_turn) return nullptr;
    std::size_t got = 0;
    runnable* found = nullptr;
    if (how.last_pass) {
        found = victim.take_slot();
        got = 1;
        if (found == nullptr) {
            auto spare = steal_ready(victim, priority::background);
            found = spare.item;
            got = 1 + spare.moved;
        }
        // Its owner is busy with something long: serve its timers and descriptors as well.
        if (found == nullptr && victim.drive_for(*this)) return next_local();
    }
    return found != nullptr ? take_loot(victim, found, got) : nullptr;
}

/// For one that has only background work: what others have more of than they run next. Once for
/// each run in the background, so thieves of forks need not take turns here.
runnable* worker::steal_surplus() noexcept {
    if (alone_) return nullptr;
    for (const auto& peer : core_.workers()) {
        if (peer.get() == this || !peer->outranks_background()) continue;
        const bool all_waits = peer->is_kept() || peer->is_in_background();
        if (runnable* found = steal_from(*peer, {.last_pass = all_waits, .in_turn = false})) {
            core_.notify_one();  // as whoever takes something, see idle_set.hpp
            return found;
        }
    }
    return nullptr;
}

stolen<runnable> worker::steal_ready(worker& victim, priority level) noexcept {
    const auto thief = victim.ready_[to_index(level)].thief();
    try {
        const auto got = thief.steal_half(my_ready_[to_index(level)]);
        if (level != priority::normal && got.moved != 0) has_ranks_ = true;
        return got;
    } catch (const std::bad_alloc&) {
        return thief.steal_fifo();  // one needs no room
    }
}

/// What is in the background goes through this worker's queue: others may come before it.
runnable* worker::take_injected() noexcept {
    bool is_offer = false;
    runnable* found = nullptr;
    for (unsigned taken = 0; taken < most_taken_at_once; ++taken) {
        // What was spilled first: a busy injection queue would keep it waiting for ever.
        found = core_.spilled.pop();
        if (found == nullptr) found = core_.injected.try_pop(index_);
        if (found == nullptr) break;
        found_in_ = trace::run_source::injected;
        counts.injected.add(1);
        trace::inject(trace, found->owner->id(), 0);
        if (found->owner->priority() != priority::background) break;
        try {
            has_ranks_ = true;
            my_ready_[to_index(priority::background)].push(found);
            is_offer = true;
            found = nullptr;
        } catch (const std::bad_alloc&) {
            break;
        }
    }
    // Who looked while it was on its way here has seen it nowhere.
    if (is_offer && !alone_) core_.notify_one();
    return found;
}

bool worker::drive_for(worker& helper) noexcept {
    helper.batch_ = true;
    bool woke = drive(helper.trace, helper.counts);
    helper.batch_ = false;
    return woke;
}

bool worker::drive(trace::emitter& emitter, counters& driver) noexcept {
    if (driving_.exchange(true, std::memory_order_acquire)) return false;  // S5
    bool woke = fire_timers(emitter, driver);
    woke = poll(nanoseconds::zero(), driver) || woke;
    driving_.store(false, std::memory_order_release);  // S5
    return woke;
}

bool worker::fire_timers(trace::emitter& emitter, counters& driver) noexcept {
    std::size_t fired = timers_.fire_due(env::now(), emitter);
    driver.timers.add(fired);
    return fired != 0;
}

bool worker::poll(nanoseconds timeout, counters& driver) noexcept {
    if (reactor_.registered() == 0 && timeout == nanoseconds::zero()) return false;
    driver.polls.add(1);
    auto woken = reactor_.poll(timeout, [](io_waiter* waiter) { waiter->wake(waiter); });
    return woken.has_value() && *woken != 0;
}

}  // namespace weft::detail
