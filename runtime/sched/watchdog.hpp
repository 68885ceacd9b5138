// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The watchdog of a runtime: one thread that looks at the workers every two milliseconds while one
// of them is awake, and sleeps while none is. A worker that is in the same resumption at a third
// look is stuck: it computes or blocks. What waits for a stuck worker is served by others:
//
//   its timers and descriptors   the watchdog fires and polls them, what wakes up is injected
//   its ready tasks              an idle worker is called and steals them
//   all of it, if all are stuck  a rescue worker begins: an ordinary worker on a thread that is
//                                asleep, or not even started, at other times; several in the end
//
// A worker that has more than it is about to run has called an idle one, in a way that may miss one
// (idle_set.hpp, P4): at each look the watchdog calls for it again.
//
// Rescue workers go back to their bench once a regular worker has been free for a while. A task
// that keeps its worker for longer than runtime_options::slow_run is named.
//
// When nothing has run for runtime_options::report_deadlocks, it looks for tasks that wait for each
// other in a circle.
//
// Memory of tasks that nobody has needed for a second it gives back to the system.
//
// A worker whose single runs are longer than the watchdog's interval is not stuck, but does not get
// to its timers and descriptors either: they are served in the same way.
//
// Its sleep is watch_gate.hpp, who is on duty duty_roster.hpp, how it gets hold of what runs
// running_slot.hpp.
//
// Protocol: watchdog                                               checked by: tests/unit/sched
// Word       runs: the thread has begun, its id is known, and it has not ended
// Edges      V2 runs release → acquire: the id
// Shutdown   stop() before the workers stop: no worker begins after it.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sched/worker.hpp"
#include "sched/worker_thread.hpp"
#include "weft/park/duty_roster.hpp"
#include "weft/park/watch_gate.hpp"
#include "weft/sched/slow_run.hpp"

namespace weft::detail {

class watchdog {
public:
    explicit watchdog(runtime_core& core) : core_(core) {}
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    /// Throws std::system_error.
    void start();
    /// Idempotent; not on the watchdog's thread. No call of the handler is under way afterwards.
    void stop() noexcept;
    [[nodiscard]] bool is_this_thread() const noexcept;

    /// A worker that has slept, before it runs anything.
    void call() noexcept { gate_.call(); }
    /// A rescue worker, about to park: whether it is on duty.
    [[nodiscard]] bool wants(unsigned index) const noexcept;

    /// Any thread; empty: a line on standard error.
    void set_handler(slow_run_handler handler);

    worker::counters counts;

private:
    using env = real_environment;

    /// What the last looks saw of one worker.
    struct sight {
        std::uint64_t progress = 0;
        unsigned looks = 0;  // at the same progress, after the first
        time_point since{};
        nanoseconds used{};
        bool reported = false;
    };

    static void enter(void* self) noexcept;
    void loop() noexcept;
    [[nodiscard]] time_point look() noexcept;
    [[nodiscard]] unsigned look_at(worker& seen, time_point now) noexcept;
    [[nodiscard]] bool all_are_kept() const noexcept;
    [[nodiscard]] time_point serve(worker& stuck, time_point now) noexcept;
    [[nodiscard]] bool all_are_idle() const noexcept;
    [[nodiscard]] bool is_long_quiet() noexcept;
    [[nodiscard]] time_point tend_pool() noexcept;
    [[nodiscard]] unsigned most_rescuers() const noexcept;
    void set_duty(unsigned wanted) noexcept;
    [[nodiscard]] bool begin_rescue(unsigned number) noexcept;

    // deadlock_watch.cpp
    [[nodiscard]] time_point deadlocks_due() noexcept;
    void seek_deadlocks() noexcept;

    // slow_run.cpp
    void name_if_slow(worker& stuck, sight& last, time_point now) noexcept;
    [[nodiscard]] bool describe(worker& stuck, const sight& last, slow_run& what);
    void report(const slow_run& what) noexcept;

    runtime_core& core_;
    watch_gate<env> gate_;
    duty_roster<env> duty_;
    std::vector<sight> sights_;  // the watchdog's own, as the next four
    time_point free_since_{};
    time_point last_report_{};
    trace::emitter trace_;
    std::recursive_mutex handler_mutex_;               // held during a call
    std::shared_ptr<const slow_run_handler> handler_;  // guarded; null: none
    nanoseconds interval_{};
    nanoseconds pause_{};  // until the next look
    std::uint64_t quiet_progress_ = 0;
    std::uint64_t pool_changes_ = 0;  // when it last looked
    time_point pool_quiet_since_{};
    std::uint64_t all_progress_ = 0;  // when it last looked, of all workers
    time_point idle_since_{};
    bool has_sought_ = false;             // since then
    std::vector<std::uint64_t> circles_;  // those that were there then, by their oldest tasks
    env::atomic<bool> runs_{false};
    std::thread::id id_;                 // of the thread, once it runs
    std::vector<worker_thread> thread_;  // none or one
};

}  // namespace weft::detail
