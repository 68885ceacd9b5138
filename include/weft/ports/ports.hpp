// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The services that a task may ask of its runtime: be queued, arm a timer, watch a descriptor. The
// scheduler implements them; tasks and awaitables see only this. The fork budget is part of the
// worker's protocol (worker.hpp).
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "weft/base/check.hpp"
#include "weft/model/environment.hpp"
#include "weft/ports/priority.hpp"
#include "weft/ports/running_slot.hpp"
#include "weft/queue/work_deque.hpp"
#include "weft/trace/ring.hpp"
#include "weft/wheel/timer_wheel.hpp"

namespace weft::detail {

class join_scope;
class promise_base;
struct runnable;
class reactor_shard;
class runtime_port;
class task_join;
class task_state;
class failure_sink;

/// A wheel that belongs to a worker. Any thread.
class timer_port {
public:
    /// Unlinks `entry`. True: it will not fire. False: it has fired or is about to.
    virtual bool disarm(struct timer_waiter& entry) noexcept = 0;

protected:
    ~timer_port() = default;
};

/// A wheel entry with what happens at its deadline. `fire` runs on the thread that drives the
/// wheel, after the entry was unlinked and outside the wheel's lock.
struct timer_waiter : timer_entry {
    using action = std::uint64_t(timer_waiter&) noexcept;
    explicit timer_waiter(action* what) noexcept : fire(what) {}
    action* fire;  // returns the id of the task that it concerns, for the trace
    timer_port* port = nullptr;
};

/// One worker, seen by the code that it runs. This worker's thread only.
class worker_port {
public:
    /// Queues what became ready: it may run next.
    virtual void submit_woken(runnable& ready) noexcept = 0;
    /// The same, for a task of this runtime, by the last task that ran, which is not `current` any
    /// more: what is returned is resumed in its place, `ready` itself if that would be next anyway.
    virtual std::coroutine_handle<> submit_and_leave(runnable& ready) noexcept = 0;
    /// Queues behind everything that this worker has ready: new tasks, and `yield`.
    virtual void submit_back(runnable& ready) noexcept = 0;
    /// Starts a new task at once, inside of what runs here, and returns when it suspends or ends;
    /// or queues it as submit_back does. It may be gone, or on another worker, afterwards.
    virtual void start_here(task_state& fresh) noexcept = 0;
    /// What runs here is about to wait for `wanted`, a task: starts to run that, with `by` as its
    /// direct await, and returns what to resume, if it would be next anyway. Null: nothing has
    /// changed.
    [[nodiscard]] virtual std::coroutine_handle<> run_if_next(task_state& wanted,
                                                              task_join& by) noexcept = 0;
    /// Offers `count` fork-join children to thieves; this worker takes them back last in, first
    /// out: each(fork_height(), put) calls put(child) for all of them, the one to be taken back
    /// last first. no_room: it was not called.
    template <class Each>
    [[nodiscard]] push_result try_fork_all(std::size_t count, Each&& each) noexcept {
        return my_forks_.try_push_all(count, std::forward<Each>(each));
    }
    /// Makes room for so many more. False: there is no memory.
    [[nodiscard]] virtual bool widen_forks(std::size_t count) noexcept = 0;
    /// Without that: as if a thief had taken the child.
    virtual void give_away(promise_base& child) noexcept = 0;
    /// One, in either way.
    void fork(promise_base& child) noexcept {
        if (!my_forks_.try_push(&child)) [[unlikely]]
            fork_into_wider(child);
    }
    /// After one or more were offered; returns `next`, so that it can be what the caller does last.
    /// Not for children that are known to lie above others: a peer was called for those, and
    /// whoever takes them passes the call on. Should that call have missed somebody, the watchdog
    /// repeats it.
    std::coroutine_handle<> announce_forks(std::coroutine_handle<> next) noexcept {
        return alone_ ? next : call_peer(next);
    }
    /// Grows by one with each child that is offered, and shrinks with each that is taken back but
    /// not claimed.
    [[nodiscard]] std::int64_t fork_height() const noexcept { return my_forks_.height(); }
    /// The fork-join child to run next on this worker. Null: none is left, or a burst is over and
    /// other work that is ready must get its turn first.
    [[nodiscard]] promise_base* next_fork() noexcept {
        std::uint32_t left = fork_budget_.load(std::memory_order_relaxed);  // its own
        if (left == 0) {
            if (!renew_fork_budget()) return nullptr;
            left = fork_budget_.load(std::memory_order_relaxed);  // its own
        }
        fork_budget_.store(left - 1, std::memory_order_relaxed);  // its own; the watchdog's hint
        return my_forks_.pop();
    }
    /// The same where this worker has offered some: the usual case, or false, also if none is left.
    /// `height`: fork_height().
    [[nodiscard]] bool try_next_fork(std::int64_t height, promise_base*& child) noexcept {
        const std::uint32_t left = fork_budget_.load(std::memory_order_relaxed);  // its own
        if (left == 0 || !my_forks_.pop_above_others(height, child)) [[unlikely]]
            return false;
        fork_budget_.store(left - 1, std::memory_order_relaxed);  // its own; the watchdog's hint
        return true;
    }
    /// An await found its result there: whether it goes on at once. False after many in one run if
    /// something else is ready: it gives its turn up (ready_turn.hpp).
    [[nodiscard]] bool spend_ready_await() noexcept {
        WEFT_DCHECK(ready_awaits_left_ != 0, "a task that was to give way went on");
        if (--ready_awaits_left_ != 0) [[likely]]
            return true;
        return renew_ready_awaits();
    }
    /// That has just said no.
    [[nodiscard]] bool owes_a_turn() const noexcept { return ready_awaits_left_ == 0; }
    /// The priority of the task that it runs; between two runs, normal. Any thread, a hint.
    [[nodiscard]] weft::priority running_at() const noexcept {
        return running_at_.load(std::memory_order_relaxed);  // hint
    }
    /// Arms `entry` for `deadline` on this worker's wheel.
    virtual void arm(timer_waiter& entry, time_point deadline) noexcept = 0;
    /// The reactor shard with which this worker registers descriptors.
    virtual reactor_shard& reactor() noexcept = 0;

    [[nodiscard]] runtime_port& runtime() const noexcept { return *runtime_; }

    /// Room for one coroutine that the loop resumes next: see bounded_transfer.
    std::coroutine_handle<> deferred_transfer;
    std::uint32_t transfer_depth = 0;
    running_slot<real_environment, runnable, task_join> current;
    /// The innermost when_all a child of which runs in its parent's place: null in the loop, and
    /// wherever what runs here suspends or ends.
    join_scope* local_join = nullptr;
    trace::emitter trace;

protected:
    /// `alone`: no other worker exists.
    worker_port(runtime_port& runtime, bool alone) : runtime_(&runtime), alone_(alone) {}
    ~worker_port() = default;
    void fork_into_wider(promise_base& child) noexcept {
        if (!widen_forks(1) || !my_forks_.try_push(&child)) give_away(child);
    }
    /// Wakes a worker that is idle, if nobody searches.
    virtual std::coroutine_handle<> call_peer(std::coroutine_handle<> next) noexcept = 0;
    /// After a burst of forks: looks at timers, descriptors and what came from outside. False if
    /// something is ready, which then comes before further forks.
    virtual bool renew_fork_budget() noexcept = 0;
    /// The same after many awaits that did not suspend.
    virtual bool renew_ready_awaits() noexcept = 0;

    using runnable_deque = work_deque<real_environment, runnable>;
    using fork_deque = work_deque<real_environment, promise_base>;
    runtime_port* runtime_;
    const bool alone_;
    /// Forked children until other work gets its turn.
    real_environment::atomic<std::uint32_t> fork_budget_{1};
    /// Awaits in this run that may go on at once, until other work gets its turn.
    std::uint32_t ready_awaits_left_ = 1;
    fork_deque forks_;
    fork_deque::owner_handle my_forks_{forks_.owner()};
    real_environment::atomic<weft::priority> running_at_{weft::priority::normal};
};

/// What a worker runs, or what awaits that directly.
struct running_task {
    std::uint64_t id;
    unsigned worker;
    bool is_awaited;  // directly
};

/// One runtime. Any thread.
class runtime_port {
public:
    /// Queues a runnable from outside the runtime's workers.
    virtual void inject(runnable& ready) noexcept = 0;
    /// Registers a task that is about to be queued and gives it its id; throws runtime_closed.
    /// `here`: this thread's worker, of whatever runtime, or nullptr.
    virtual void enlist(task_state& task, worker_port* here) = 0;
    /// The task is done on `here`: forgets it. The task may be freed right after.
    virtual void delist(task_state& task, worker_port& here) noexcept = 0;
    /// The same if the task has no other holders than these, so that nobody else can reach it any
    /// more.
    [[nodiscard]] virtual bool delist_if_unshared(task_state& task, worker_port& here,
                                                  std::uint32_t holders) noexcept = 0;
    /// Whom to tell about exceptions that nobody receives.
    [[nodiscard]] virtual std::shared_ptr<failure_sink> failures() noexcept = 0;
    /// A worker to name as the home of a runnable that no worker creates.
    [[nodiscard]] virtual worker_port& any_worker() noexcept = 0;
    /// Tasks that are not done, each with a reference for the caller. Throws std::bad_alloc.
    [[nodiscard]] virtual std::vector<task_state*> live_tasks() = 0;
    /// Those that run now: a hint. Throws std::bad_alloc.
    [[nodiscard]] virtual std::vector<running_task> running_tasks() = 0;
    /// At least so long ago `task`, which is alive, was created; for diagnostics.
    [[nodiscard]] virtual nanoseconds least_age(const task_state& task) noexcept = 0;
    [[nodiscard]] virtual unsigned worker_count() const noexcept = 0;
    /// Whoever has just registered a callback: whether the end of the runtime has come so far that
    /// it is not to be called.
    [[nodiscard]] bool drops_callbacks() const noexcept {
        return drops_callbacks_.load(std::memory_order_relaxed);  // the registry's lock: the edge
    }

protected:
    ~runtime_port() = default;
    real_environment::atomic<bool> drops_callbacks_{false};
};

/// The runtime behind its public face, for rooms that do not see that.
struct runtime_access {
    template <class Runtime>
    [[nodiscard]] static runtime_port& port(const Runtime& runtime) {
        return runtime.port();
    }
    /// For tests that make the core themselves.
    template <class Runtime, class Core>
    [[nodiscard]] static Runtime around(Core core) {
        return Runtime(runtime_access{}, std::move(core));
    }
};

/// This thread's worker, or nullptr. Opaque to the optimiser on purpose: a coroutine may resume on
/// another thread, so no compiler may keep the address of a thread-local across a suspension.
[[nodiscard]] worker_port* this_worker() noexcept;

}  // namespace weft::detail
