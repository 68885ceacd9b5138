// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One worker: its queues, its wheel, its reactor shard and the loop that serves them. The loop is
// split by phase: run.cpp, search.cpp, park.cpp; what others do to a worker is in submit.cpp.
//
// Protocol: worker                         checked by: tests/stress/sched_stress_test.cpp
// Roles      owner (this worker's thread) · thieves (other workers) · submitters (any thread)
// Words      next_slot: the run-next slot, of normal tasks · driving: the right to drive timers and
//            descriptors
// Fields     forks, ready: see work_deque.hpp · everything else owner-confined
// Invariants S1 what became ready is in exactly one of: slot, ready, forks, injection queue, spill
//               list (where ready or the injection queue could not grow).
//            S2 descriptors and wheel are driven by one thread at a time, the holder of `driving`.
//            S3 a worker with two ready runnables, with one that outranks what runs just then, or
//               with one in the background, has asked for a peer, or does so before the first run
//               that begins 50 µs later (batch_history). It may have missed one (P4 of
//               idle_set.hpp): it asks again at its looks around, the watchdog at each of its own.
//            S6 the loop finds no forks of background tasks in the deque: what those leave there
//               is queued by itself, see run_background. But for a task that became one in a run.
// Edges      S4 slot release → exchange acquire: the runnable in it. Only the owner fills the slot.
//            S5 driving release → acquire: the shard's state
// Races      A thief takes the slot while its owner looks there: both exchange, one gets it. While
//            its owner fills it: the thief gets the new one, or has emptied it before.
//            The owner goes to sleep on its poller while a peer still drives its shard: the owner
//            waits for the right, which is held for one non-blocking poll only.
// Progress   see park/idle_set.hpp; the turn that next_owed gives after each look bounds every
//            queue's wait (docs/architecture.md).
// Shutdown   stop flag, unpark all, join; every queue is empty by then.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "sched/birth_times.hpp"
#include "sched/fairness.hpp"
#include "sched/thread_clock.hpp"
#include "sched/timer_shard.hpp"
#include "weft/park/batch_history.hpp"
#include "weft/park/parker.hpp"
#include "weft/park/wait_history.hpp"
#include "weft/ports/ports.hpp"
#include "weft/ports/priority.hpp"
#include "weft/queue/work_deque.hpp"
#include "weft/reactor/reactor_shard.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

class runtime_core;

/// Every id below has been given, to a task or to a worker.
[[nodiscard]] std::uint64_t unused_task_id() noexcept;

/// Owner-written statistics that others may read.
class worker_counter {
public:
    void add(std::uint64_t n) noexcept {
        // One writer: a plain read and write are enough.
        value_.store(value_.load(std::memory_order_relaxed) + n,  // statistics: no edge
                     std::memory_order_relaxed);                  // statistics: no edge
    }
    [[nodiscard]] std::uint64_t read() const noexcept {
        return value_.load(std::memory_order_relaxed);  // statistics: no edge
    }

private:
    real_environment::atomic<std::uint64_t> value_{0};
};

class worker final : public worker_port {
public:
    struct counters {
        worker_counter resumptions, steals, stolen, parks, polls, timers, injected;
    };
    enum class role : std::uint8_t { alone, regular, rescue };
    worker(runtime_core& core, unsigned index, role as, nanoseconds idle_spin);
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// The thread's body.
    void loop() noexcept;
    /// One turn of it: false once the runtime stops and nothing is left. Parks if nothing is ready.
    bool step() noexcept;

    // worker_port
    void submit_woken(runnable& ready) noexcept override;
    std::coroutine_handle<> submit_and_leave(runnable& ready) noexcept override;
    void submit_back(runnable& ready) noexcept override;
    void start_here(task_state& fresh) noexcept override;
    std::coroutine_handle<> run_if_next(task_state& wanted, task_join& by) noexcept override;
    void arm(timer_waiter& entry, time_point deadline) noexcept override;
    reactor_shard& reactor() noexcept override { return reactor_; }

    /// Any thread: makes this worker look again at every source.
    void unpark() noexcept;
    /// Any thread: whether there is something here to steal.
    [[nodiscard]] bool has_work() const noexcept;
    /// Any thread: whether there is more than this worker is about to run itself.
    [[nodiscard]] bool has_surplus() const noexcept;
    /// The same by the rule S3: a peer is wanted for it.
    [[nodiscard]] bool is_offering() const noexcept;
    /// The same, and that comes before anything in the background.
    [[nodiscard]] bool outranks_background() const noexcept;
    /// The watchdog says that it has been in one run for long: what is next here waits for it.
    void note_kept(bool is_kept) noexcept {
        is_kept_.store(is_kept, std::memory_order_relaxed);  // hint
    }

    /// Fires this worker's timers and polls its descriptors once, on the caller's thread; true if
    /// that woke something. Not if somebody else is at it.
    bool drive(trace::emitter& emitter, counters& driver) noexcept;

    // Any thread, for the watchdog.
    /// Differs after every resumption, and after every child of a burst of forks.
    [[nodiscard]] std::uint64_t progress() const noexcept {
        static_assert(fairness::forks_per_look < 2048, "it has 11 bits here");
        const std::uint64_t turns = counts.resumptions.read() + bursts_.read();
        return (turns << 11) + fork_budget_.load(std::memory_order_relaxed);  // hint
    }
    /// When it last looked at its own timers and descriptors.
    [[nodiscard]] time_point last_look() const noexcept {
        return time_point{nanoseconds{last_look_.load(std::memory_order_relaxed)}};  // hint
    }
    [[nodiscard]] bool is_on_bench() const noexcept {
        return benched_.load(std::memory_order_relaxed);  // hint: driving decides who drives
    }
    thread_clock processor_time;
    counters counts;
    [[nodiscard]] timer_shard& timers() noexcept { return timers_; }
    [[nodiscard]] unsigned index() const noexcept { return index_; }
    /// Any thread: of the tasks that it has created.
    [[nodiscard]] const birth_times& births() const noexcept { return births_; }

    /// Owner: a task id from this worker's block, which `refill()` begins anew.
    template <class Refill>
    [[nodiscard]] std::uint64_t draw_id(Refill refill, std::uint64_t block) noexcept {
        if (next_id_ == end_id_) {
            next_id_ = refill();
            end_id_ = next_id_ + block;
        }
        return next_id_++;
    }

private:
    using env = real_environment;
    static constexpr std::size_t priorities = 3;
    static constexpr std::size_t to_index(priority level) noexcept {
        return static_cast<std::size_t>(level);
    }
    /// Any thread, a hint.
    [[nodiscard]] std::size_t ready_count(priority level) const noexcept {
        return ready_[to_index(level)].size_hint();
    }
    [[nodiscard]] std::size_t ready_before_background() const noexcept;
    [[nodiscard]] bool is_kept() const noexcept {
        return is_kept_.load(std::memory_order_relaxed);  // hint
    }
    [[nodiscard]] bool is_in_background() const noexcept {
        return running_at() == priority::background;
    }

    // run.cpp
    [[nodiscard]] runnable* next_local() noexcept {
        return has_ranks_ ? next_ranked() : next_normal();
    }
    [[nodiscard]] runnable* next_ranked() noexcept;
    [[nodiscard]] runnable* next_normal() noexcept;
    void fetch_ahead() const noexcept;
    [[nodiscard]] runnable* take_slot() noexcept;
    [[nodiscard]] bool is_slot_empty() const noexcept {
        return next_slot_.load(std::memory_order_relaxed) == nullptr;  // S4: hint
    }
    [[nodiscard]] runnable* take(priority level) noexcept {
        auto& from = my_ready_[to_index(level)];
        return alone_ ? from.take_front_alone() : from.take_front();
    }
    [[nodiscard]] runnable* next_due() noexcept;
    [[nodiscard]] runnable* next_owed() noexcept;
    [[nodiscard]] runnable* next_background() noexcept;
    [[nodiscard]] bool is_background_due() const noexcept;
    void run(runnable* next) noexcept;
    [[nodiscard]] bool may_turn_to(const runnable& next) const noexcept;
    [[nodiscard]] std::coroutine_handle<> turn_to(runnable& next) noexcept;
    void begin_run(runnable& next) noexcept;
    void run_ranked(runnable& next, priority level) noexcept;
    void run_background(runnable& next) noexcept;
    void resume(runnable& next) noexcept;
    void call_watchdog() noexcept;
    void call_again() noexcept;
    void call_if_due() noexcept;
    void look_at_debt() noexcept;
    void renew_budget(std::uint32_t forks) noexcept;
    void note_look(time_point now) noexcept {
        const nanoseconds since_start = now.time_since_epoch();
        last_look_.store(since_start.count(), std::memory_order_relaxed);  // its own; a hint
        births_.note(next_id_, unused_task_id(), now);
    }
    /// Before it sleeps.
    void note_births() noexcept {
        if (births_.is_new(next_id_, unused_task_id()))
            births_.note(next_id_, unused_task_id(), env::now());
    }
    void look_around() noexcept;
    bool renew_fork_budget() noexcept override;
    // start_here.cpp
    [[nodiscard]] bool may_start_here(const task_state& fresh) const noexcept;
    bool renew_ready_awaits() noexcept override;
    [[nodiscard]] bool look_for_others() noexcept;
    [[nodiscard]] bool is_burst_over() noexcept;

    // search.cpp
    [[nodiscard]] runnable* search() noexcept;
    [[nodiscard]] runnable* look_outside() noexcept;
    [[nodiscard]] runnable* search_in_passes() noexcept;
    [[nodiscard]] runnable* linger() noexcept;
    [[nodiscard]] bool peers_have_surplus() const noexcept;
    [[nodiscard]] bool peers_outrank_background() const noexcept;
    [[nodiscard]] runnable* search_peers(bool last_pass) noexcept;
    void note_place() noexcept;
    [[nodiscard]] runnable* steal_nearby(std::span<const std::unique_ptr<worker>> all) noexcept;
    struct how_to_steal {
        bool last_pass;  ///< what the victim runs next, its background and its shard as well
        bool in_turn;    ///< forks only while no other thief is at some
    };
    [[nodiscard]] runnable* steal_from(worker& victim, how_to_steal how) noexcept;
    [[nodiscard]] stolen<promise_base> steal_fork(worker& victim, bool in_turn) noexcept;
    [[nodiscard]] stolen<runnable> steal_ranked(worker& victim) noexcept;
    runnable* take_loot(worker& victim, runnable* found, std::size_t got) noexcept;
    [[nodiscard]] stolen<runnable> steal_ready(worker& victim, priority level) noexcept;
    [[nodiscard]] runnable* steal_surplus() noexcept;
    [[nodiscard]] runnable* take_injected() noexcept;
    void leave_search() noexcept;
    bool drive_if_free() noexcept { return drive_for(*this); }
    /// drive() on the helper's thread: what it woke is then in the helper's queue.
    bool drive_for(worker& helper) noexcept;
    bool fire_timers(trace::emitter& emitter, counters& driver) noexcept;
    bool poll(nanoseconds timeout, counters& driver) noexcept;

    // park.cpp
    void park() noexcept;
    void rest_on_bench() noexcept;
    void hand_over() noexcept;
    [[nodiscard]] bool is_off_duty() const noexcept;
    void wait_for_events() noexcept;
    [[nodiscard]] runnable* rescan() noexcept;
    [[nodiscard]] bool peers_have_work() const noexcept;

    // submit.cpp
    void queue(runnable& ready, priority level) noexcept {
        if (level != priority::normal) [[unlikely]]
            has_ranks_ = true;
        if (!my_ready_[to_index(level)].try_push(&ready)) [[unlikely]]
            queue_into_wider(ready, level);
    }
    void queue_into_wider(runnable& ready, priority level) noexcept;
    [[nodiscard]] runnable* fill_slot(runnable& next) noexcept;
    void submit_ranked(runnable& ready, priority level) noexcept;
    [[nodiscard]] bool put_call_off(std::size_t ready) noexcept;
    std::coroutine_handle<> call_peer(std::coroutine_handle<> next) noexcept override;
    bool widen_forks(std::size_t count) noexcept override;
    void give_away(promise_base& child) noexcept override;

    runtime_core& core_;
    const unsigned index_;
    const bool is_rescue_;
    env::atomic<bool> benched_{false};
    env::atomic<bool> is_kept_{false};
    env::atomic<bool> owes_call_{false};  // others' hint: batches_ says so
    worker_counter bursts_;
    std::array<runnable_deque, priorities> ready_;
    std::array<runnable_deque::owner_handle, priorities> my_ready_{
        ready_[0].owner(), ready_[1].owner(), ready_[2].owner()};
    alignas(64) env::atomic<runnable*> next_slot_{nullptr};
    env::atomic<bool> driving_{false};
    parker<env> parker_;

    reactor_shard reactor_;
    timer_shard timers_;

    bool searching_ = false;
    bool was_asleep_ = false;        // has run nothing since: the watchdog may be asleep too
    bool passes_turn_ = false;       // may steal one fork although another thief has the turn
    bool batch_ = false;             // waking from timers and descriptors: no run-next slot
    std::uint32_t slot_streak_ = 0;  // runnables taken from the slot in a row
    std::int64_t below_ = 0;         // where the forks of the background run begin
    std::uint32_t portions_ = 0;     // of forks that it has had
    std::uint32_t nested_ = 0;       // tasks that start here inside of one another
    bool has_ranks_ = false;         // there was a task here that is not normal
    bool owes_ready_ = false;        // after a look: a turn to the oldest normal task
    bool background_first_ = false;  // of what is due at the next look around
    std::uint32_t latency_streak_ = 0;
    time_point background_due_{};
    std::uint32_t tick_ = 0;
    trace::run_source found_in_ = trace::run_source::local;  // where `run` gets its argument from
    std::uint64_t next_id_ = 0;
    std::uint64_t end_id_ = 0;
    env::atomic<std::int64_t> last_look_{0};
    wait_history waits_;
    batch_history batches_;
    std::uint32_t random_;
    birth_times births_;  // last: it is large
};

}  // namespace weft::detail
