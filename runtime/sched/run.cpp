// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The run phase: take the next runnable of this worker's own queues and resume it.
//
// Fairness: the run-next slot serves at most three in a row, the latency queue 16. Every 61st turn
// is a look: at timers and descriptors, and then a turn for what came from outside or a background
// task that is due, and the next that is no latency task's for the oldest normal task, whatever is
// in the slot and whatever forks there are. So is every 1024th child since the last look. What
// follows from that is in docs/architecture.md; the numbers are in fairness.hpp.
// Background: before each run in it the worker looks everywhere else, at its peers' surplus as
// well. After a run that took t the next is due 128 t later, at the first look from then on.

#include <algorithm>
#include <utility>

#include "sched/fairness.hpp"
#include "sched/runtime_core.hpp"
#include "sched/worker.hpp"
#include "weft/task/join_scope.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t ready_in_cache = 4096;  // tasks
constexpr std::uint32_t fetched_at_once = 8;

}  // namespace

worker::worker(runtime_core& core, unsigned index, role as, nanoseconds idle_spin)
    : worker_port(core, as == role::alone),
      core_(core),
      index_(index),
      is_rescue_(as == role::rescue),
      reactor_(make_system_poller()),
      waits_(idle_spin),
      random_(0x9e3779b9u * (index + 1)) {}

void worker::loop() noexcept {
    note_place();
    while (step()) {
    }
}

bool worker::step() noexcept {
    core_.refuse_copy();
    const bool after_burst = fork_budget_.load(std::memory_order_relaxed) == 0;  // its own
    if (++tick_ % fairness::look_interval == 0 || after_burst) [[unlikely]] {
        if (is_off_duty() && !core_.is_stopping()) {
            rest_on_bench();
            return true;
        }
        call_again();
        look_around();
        const bool is_old_debt = std::exchange(owes_ready_, true);
        if (!is_old_debt) {
            renew_budget(fairness::forks_per_look);
            if (runnable* next = next_due()) {
                run(next);
                return true;
            }
        }
    }
    call_if_due();
    if (owes_ready_) [[unlikely]] {
        if (runnable* next = next_owed()) {
            run(next);
            return true;
        }
    }
    if (runnable* next = next_local()) {
        run(next);
        return true;
    }
    if (runnable* next = next_background()) {
        run(next);
        return true;
    }
    if (runnable* next = search()) {
        run(next);
        return true;
    }
    if (core_.is_stopping()) return false;
    park();
    return true;
}

/// What waits for a look around. In turns, so that neither keeps the other waiting.
runnable* worker::next_due() noexcept {
    background_first_ = !background_first_;
    if (!background_first_) {
        if (runnable* next = take_injected()) return next;
    }
    if (is_background_due()) {
        found_in_ = trace::run_source::local;
        if (runnable* next = take(priority::background)) return next;
    }
    return background_first_ ? take_injected() : nullptr;
}

/// After a look: what comes before the run-next slot and forks this time, a normal task included.
runnable* worker::next_owed() noexcept {
    found_in_ = trace::run_source::local;
    if (has_ranks_ && latency_streak_ < fairness::latency_limit) {
        if (runnable* next = take(priority::latency)) {
            ++latency_streak_;
            return next;
        }
    }
    latency_streak_ = 0;
    owes_ready_ = false;
    renew_budget(fairness::forks_per_look);
    return take(priority::normal);
}

runnable* worker::next_ranked() noexcept {
    found_in_ = trace::run_source::local;
    runnable* next = latency_streak_ < fairness::latency_limit ? take(priority::latency) : nullptr;
    latency_streak_ = next != nullptr ? latency_streak_ + 1 : 0;
    if (next == nullptr) next = next_normal();
    return next != nullptr ? next : take(priority::latency);
}

runnable* worker::next_normal() noexcept {
    if (!alone_ && slot_streak_ < fairness::slot_limit) {
        if (runnable* next = take_slot()) {
            ++slot_streak_;
            found_in_ = trace::run_source::next_slot;
            return next;
        }
    }
    slot_streak_ = 0;
    found_in_ = trace::run_source::inline_call;
    if (promise_base* child = my_forks_.pop()) return &make_runnable(*child, *this);
    found_in_ = trace::run_source::local;
    if (tick_ % fetched_at_once == 0) [[unlikely]]
        fetch_ahead();
    if (alone_) return my_ready_[to_index(priority::normal)].take_front_alone();
    if (runnable* next = my_ready_[to_index(priority::normal)].take_front()) return next;
    found_in_ = trace::run_source::next_slot;
    return take_slot();
}

/// This worker has nothing else: what is in the background, unless others have something better.
runnable* worker::next_background() noexcept {
    if (!has_ranks_ || my_ready_[to_index(priority::background)].is_empty()) return nullptr;
    look_around();
    if (!is_background_due()) {
        if (runnable* next = next_local()) return next;
        if (runnable* next = take_injected()) return next;
        if (runnable* next = steal_surplus()) return next;
    }
    found_in_ = trace::run_source::local;
    return take(priority::background);
}

bool worker::is_background_due() const noexcept {
    return has_ranks_ && ready_count(priority::background) != 0 && env::now() >= background_due_;
}

/// Tasks that became ready long ago are in no cache: fetched while those before them run. The frame
/// only where no thief may run the task meanwhile.
[[gnu::noinline]] void worker::fetch_ahead() const noexcept {
    const auto& ready = my_ready_[to_index(priority::normal)];
    if (!ready.holds_more_than(ready_in_cache)) return;
    const auto fetch_two_lines = [this](const void* first) {
        const auto* lines = static_cast<const std::byte*>(first);
        for (const std::byte* line : {lines, lines + 64}) {
            if (alone_)
                __builtin_prefetch(line, 1);
            else
                __builtin_prefetch(line);  // a thief may write to it
        }
    };
    for (std::uint32_t i = 0; i < fetched_at_once; ++i) {
        const runnable* const later = ready.look_ahead(2 * fetched_at_once + i);
        if (later == nullptr) return;
        fetch_two_lines(later);
        if (alone_) fetch_two_lines(ready.look_ahead(fetched_at_once + i)->resume_point.address());
    }
}

runnable* worker::take_slot() noexcept {
    if (is_slot_empty()) return nullptr;
    return next_slot_.exchange(nullptr, std::memory_order_acquire);  // S4
}

void worker::resume(runnable& next) noexcept {
    current.set(next);  // counted before, so that nobody takes it for what ran last
    bool first_step = next.count_run();
    if (first_step && next.lifecycle.has_requests()) [[unlikely]] {
        if (std::coroutine_handle<> after = next.ops->abandon(next)) after.resume();
    } else {
        next.resume_point.resume();
    }
    // From here on `next` may be gone, or run on another worker.
    while (deferred_transfer) {
        transfer_depth = 0;
        std::exchange(deferred_transfer, nullptr).resume();
    }
    transfer_depth = 0;
    WEFT_DCHECK(current.is_empty(), "a runnable went on without leaving its worker");
    WEFT_DCHECK(current.direct() == nullptr, "a direct await was left behind");
}

void worker::run(runnable* next) noexcept {
    if (searching_ || was_asleep_) [[unlikely]] {
        leave_search();
        passes_turn_ = false;
        call_watchdog();
    }
    begin_run(*next);
    if (next->owner->priority() != priority::normal) [[unlikely]]
        return run_ranked(*next, next->owner->priority());
    resume(*next);
}

inline void worker::begin_run(runnable& next) noexcept {
    next.worker = this;
    ready_awaits_left_ = fairness::ready_awaits_per_run;
    if (trace.on(trace::bits::tasks)) [[unlikely]]  // its arguments are not free
        trace::task_run(trace, next.owner->id(), next.runs, found_in_,
                        ready_count(next.owner->priority()));
    counts.resumptions.add(1);
}

/// Whether the loop would do no more than to look for what is ready, and none of that is ranked.
inline bool worker::may_turn_to(const runnable& next) const noexcept {
    const bool is_plain = !has_ranks_ && next.owner->priority() == priority::normal;
    const bool looks_around = owes_ready_ || (tick_ + 1) % fairness::look_interval == 0 ||
                              fork_budget_.load(std::memory_order_relaxed) == 0;  // its own
    return is_plain && !looks_around;
}

/// A turn of the loop, without the way there and back.
inline std::coroutine_handle<> worker::turn_to(runnable& next) noexcept {
    core_.refuse_copy();
    ++tick_;
    call_if_due();
    found_in_ = trace::run_source::inline_call;
    begin_run(next);
    current.set(next);
    const bool first_step = next.count_run();
    if (first_step && next.lifecycle.has_requests()) [[unlikely]]
        return next.ops->abandon(next);
    return transfer(next, next.resume_point);
}

/// As the run-next slot would have it.
std::coroutine_handle<> worker::submit_and_leave(runnable& ready) noexcept {
    const bool is_only = ready_count(priority::normal) == 0;
    const bool is_next =
        is_slot_empty() && (is_only || (!alone_ && slot_streak_ < fairness::slot_limit));
    if (!is_next || !may_turn_to(ready)) {
        submit_woken(ready);
        return std::noop_coroutine();
    }
    slot_streak_ = is_only ? 0 : slot_streak_ + 1;
    trace::task_wake(trace, ready.owner->id(), ready.runs, trace::wake_via::handed_over, index_);
    return turn_to(ready);
}

/// The oldest that is ready here. The only one, where strict order is kept: what waits for it is
/// ready again before anything else is.
std::coroutine_handle<> worker::run_if_next(task_state& wanted, task_join& by) noexcept {
    auto& ready = my_ready_[to_index(priority::normal)];
    if (!may_turn_to(wanted) || !is_slot_empty()) return nullptr;
    if (alone_ && ready_count(priority::normal) != 1) return nullptr;
    if (!(alone_ ? ready.take_front_alone_if(&wanted) : ready.take_front_if(&wanted))) {
        return nullptr;
    }
    slot_streak_ = 0;
    trace::task_suspend(trace, trace::suspend_reason::join);
    current.begin_direct(by);
    return turn_to(wanted);
}

void worker::run_ranked(runnable& next, priority level) noexcept {
    has_ranks_ = true;
    running_at_.store(level, std::memory_order_relaxed);  // its own; a hint
    if (level == priority::background)
        run_background(next);
    else
        resume(next);
    running_at_.store(priority::normal, std::memory_order_relaxed);  // its own; a hint
}

void worker::run_background(runnable& next) noexcept {
    renew_budget(fairness::background_forks_per_turn);
    below_ = my_forks_.height();
    portions_ = 0;
    const time_point begin = env::now();
    resume(next);
    const time_point end = env::now();
    const nanoseconds pause = fairness::background_share * (end - begin);
    background_due_ = end + std::min(pause, fairness::longest_background_pause);
    // S6: otherwise its forks would come before what is ready.
    bool is_offer = false;
    while (my_forks_.height() > below_) {
        promise_base* left = my_forks_.pop();
        if (left == nullptr) break;
        runnable& child = make_runnable(*left, *this);
        queue(child, child.owner->priority());
        is_offer = true;
    }
    if (is_offer && !alone_) core_.call_one();
}

void worker::call_watchdog() noexcept {
    if (!was_asleep_) return;
    was_asleep_ = false;
    core_.watch.call();
}

void worker::renew_budget(std::uint32_t forks) noexcept {
    fork_budget_.store(forks, std::memory_order_relaxed);  // its own; the watchdog's hint
}

bool worker::renew_fork_budget() noexcept {
    if (nested_ != 0) return false;  // start_here.cpp
    bursts_.add(1);
    if (!look_for_others()) return false;
    renew_budget(is_in_background() ? fairness::background_forks_per_turn
                                    : fairness::forks_per_look);
    return true;
}

/// It is no progress that the watchdog should see. Forks count as others here: a sibling may be
/// what this task waits for.
bool worker::renew_ready_awaits() noexcept {
    const bool goes_on = look_for_others() && my_forks_.is_empty();
    ready_awaits_left_ = goes_on ? fairness::ready_awaits_per_run : 0;
    return goes_on;
}

/// A look in the midst of a run: whether that goes on.
bool worker::look_for_others() noexcept {
    batches_.note_long_run();
    call_again();
    look_around();
    if (runnable* next = take_injected()) queue(*next, next->owner->priority());
    return !is_burst_over();
}

/// Whether something is ready that comes before further forks.
bool worker::is_burst_over() noexcept {
    if (ready_before_background() != 0) return true;
    if (!is_in_background()) return is_background_due();
    const auto own = static_cast<std::size_t>(my_forks_.height() - below_);
    if (my_forks_.holds_more_than(own) || peers_outrank_background()) return true;
    return ++portions_ >= fairness::background_portions && ready_count(priority::background) != 0;
}

/// What it could not run so far is offered once more: see call_one.
inline void worker::call_again() noexcept {
    if (!alone_ && is_offering()) core_.call_one();
}

/// For what a look at timers and descriptors woke a while ago.
inline void worker::call_if_due() noexcept {
    if (batches_.owes_call()) [[unlikely]]
        look_at_debt();
}

void worker::look_at_debt() noexcept {
    const bool is_due = batches_.take_due(is_offering());
    owes_call_.store(batches_.owes_call(), std::memory_order_relaxed);  // hint
    if (is_due) core_.call_one();
}

/// Timers and descriptors get their turn although there is work.
void worker::look_around() noexcept {
    time_point now = env::now();
    if (now - last_look() < fairness::poll_interval) return;
    note_look(now);
    batches_.end_busy(now, counts.resumptions.read());
    drive_if_free();
}

}  // namespace weft::detail
