// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the workers of one runtime share.
//
// Protocol: end of a runtime                         checked by: tests/stress/sched_stress_test.cpp
// Roles      closer (a thread that is no worker) · workers · foreign threads inside inject()
// Fields     options: immutable once started · workers: the regular ones from the start, the rescue
//            workers added by the watchdog · stopping: atomic, one way
//            · closed, abandoned → close_mutex, held for the whole of close()
//            · injectors: threads inside inject()
// Edges      K1 stopping release → a worker's acquire: nothing is left to run
//            closing needs none: the registry decides, this only keeps foreign threads from
//            feeding it for ever
//            K2 injectors decrement release → the destructor's acquire: nobody is in here any more
//            K3 attached increment release → start()'s acquire: the workers' emitters
//            K4 published release → acquire: a rescue worker that was added
// Races      A foreign thread cancels the last task: as soon as the task is queued it may run, end
//            and let the runtime close, while that thread is still about to call a worker. The
//            destructor waits for it (K2); it counted itself before it queued the task, so whoever
//            sees the task done sees the count.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "sched/dump_signal.hpp"
#include "sched/fork_guard.hpp"
#include "sched/spill_list.hpp"
#include "sched/task_registry.hpp"
#include "sched/watchdog.hpp"
#include "sched/worker.hpp"
#include "sched/worker_places.hpp"
#include "sched/worker_thread.hpp"
#include "task/failure_sink.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/queue/injection_queue.hpp"
#include "weft/queue/thief_turn.hpp"
#include "weft/runtime.hpp"

namespace weft::detail {

class runtime_core final : public runtime_port {
    // First, because what follows is sized by them.
    const unsigned regular_;
    const unsigned capacity_;  // with the rescue workers
    const nanoseconds idle_spin_;

public:
    /// The workers, without their threads. Throws std::invalid_argument for options out of range,
    /// std::system_error, std::bad_alloc.
    explicit runtime_core(const runtime_options& options);
    /// With a map of the caches that is not this machine's, for tests.
    runtime_core(const runtime_options& options, cache_map map);
    ~runtime_core();
    /// Begins the threads, once. Throws std::system_error, std::bad_alloc: then the core can only
    /// be destroyed.
    void start();

    /// Before it is queued, and once it is done: the task-local values that main tasks hand on.
    void begin_main(task_state& main) noexcept;
    void end_main(task_state& main) noexcept;

    // runtime_port
    void inject(runnable& ready) noexcept override;
    void enlist(task_state& task, worker_port* here) override;
    void delist(task_state& task, worker_port& here) noexcept override;
    [[nodiscard]] bool delist_if_unshared(task_state& task, worker_port& here,
                                          std::uint32_t holders) noexcept override;
    std::shared_ptr<failure_sink> failures() noexcept override { return failures_; }
    std::vector<task_state*> live_tasks() override { return registry_.snapshot(); }
    // task_dump.cpp
    std::vector<running_task> running_tasks() override;
    nanoseconds least_age(const task_state& task) noexcept override;
    worker_port& any_worker() noexcept override { return *workers_[0]; }
    /// Without the rescue workers.
    unsigned worker_count() const noexcept override { return regular_; }

    void close();
    [[nodiscard]] bool is_stopping() const noexcept {
        return stopping_.load(std::memory_order_acquire);  // K1
    }
    [[nodiscard]] bool is_abandoned() const noexcept { return abandoned_; }
    /// A copy that a child process got of its parent's: it has no threads.
    /// For a fork's child: what it runs shall get signals as what the program runs elsewhere does.
    void unblock_signals() const noexcept;
    [[nodiscard]] bool is_copy() const noexcept { return born_after_ != forks_survived(); }
    void refuse_copy() const noexcept {
        WEFT_CHECK(!is_copy(),
                   "a runtime does not survive fork(): exec, or start one in the child");
    }
    /// Any thread, after something was published.
    void notify_one() noexcept;
    /// Worker, while it has more than it can run at once.
    void call_one() noexcept;

    [[nodiscard]] runtime_statistics statistics();

    using env = real_environment;
    idle_set<env> idle;
    /// For who steals a fork.
    thief_turn<env> fork_thief;
    worker_places places;
    /// Held by who looks into the workers' running slots.
    std::mutex visiting;
    watchdog watch{*this};
    dump_signal dumper{*this};
    injection_queue<runnable> injected;
    spill_list<real_environment, runnable> spilled;
    /// The regular workers, then the rescue workers that there are.
    [[nodiscard]] std::span<const std::unique_ptr<worker>> workers() const noexcept {
        return {workers_.get(), published_.load(std::memory_order_acquire)};  // K4
    }
    [[nodiscard]] unsigned worker_capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool is_single() const noexcept { return regular_ == 1; }
    /// The watchdog, below the capacity: adds a rescue worker and starts its thread. Throws
    /// std::system_error, std::bad_alloc; then nothing has changed.
    void start_rescue_worker();
    [[nodiscard]] const runtime_options& options() const noexcept { return options_; }

private:
    static void enter_thread(void* mine) noexcept;
    void thread_body(worker& mine, unsigned index) noexcept;
    void stop_threads() noexcept;
    void await_emitters() noexcept;
    [[nodiscard]] bool stop_round(time_point deadline);
    void report_stuck() noexcept;
    void report_unawaited() noexcept;
    void report_live(failure::kind kind, bool (*is_meant)(const task_description&),
                     const char* sentence) noexcept;
    /// `here` if it is one of this runtime's workers, or nullptr.
    [[nodiscard]] worker* own_worker(worker_port* here) noexcept;

    runtime_options options_;
    const std::uint32_t born_after_ = forks_survived();
    std::string thread_name_;
    struct signal_mask;
    std::unique_ptr<signal_mask> program_mask_;  // of the thread that began it
    std::shared_ptr<failure_sink> failures_;
    task_registry registry_;
    std::unique_ptr<std::unique_ptr<worker>[]> workers_;
    env::atomic<unsigned> published_{0};
    std::vector<worker_thread> threads_;  // room for all is there from the start
    env::atomic<bool> stopping_{false};
    env::atomic<bool> closing_{false};
    env::atomic<std::uint32_t> injectors_{0};
    env::atomic<std::uint32_t> attached_{0};  // workers that have reached their loop
    std::mutex context_mutex_;
    context_ref main_context_;  // guarded by context_mutex_: what the last main task left
    std::mutex close_mutex_;
    bool closed_ = false;
    bool abandoned_ = false;  // stuck tasks were left behind: the threads go on, this is leaked
};

/// Every task of `of` that is not done nor the runtime's own. Any thread; throws std::bad_alloc.
[[nodiscard]] std::vector<task_description> dump_tasks_of(runtime_port& of);

/// find_deadlocks() of `of`. Any thread; throws std::bad_alloc.
[[nodiscard]] std::vector<await_chain> find_circles(runtime_port& of);

/// Cores that this process may use: affinity, then the cgroup's quota, at least 1.
[[nodiscard]] unsigned usable_cores();

}  // namespace weft::detail
