// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tells what the tasks of a runtime wait for each time that the process gets a signal. On a thread
// of its own, so also while every worker is kept by a task.
//
// Protocol: dump signal                        checked by: tests/unit/sched/dump_signal_test.cpp
// Roles      the signal handler, on any thread · dumpers (a thread of each runtime that has asked)
// Words      of each signal, static: requests: how often it came · events: the same and more, what
//            dumpers sleep on · of one dumper: stopping · runs: its id is known
// Fields     users, before: of each signal → the table's mutex
// Invariants D3 the handler touches static lock-free words only, and keeps errno: it may run at any
//               time, before the first dumper and after the last.
// Edges      D1 requests, stopping release → the dumper's acquire, after it has read events: what
//               comes between that and its sleep changes events, so it does not sleep
//            D2 runs release → acquire: the id
// Progress   signals that come during a dump are one request.
// Shutdown   set stopping, bump events, join; what was asked before is told first. The last user of
//            a signal restores what was there.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "sched/worker_thread.hpp"
#include "weft/model/environment.hpp"
#include "weft/sched/task_dump.hpp"

namespace weft::detail {

class runtime_core;

class dump_signal {
public:
    explicit dump_signal(runtime_core& core) noexcept : core_(core) {}
    dump_signal(const dump_signal&) = delete;
    dump_signal& operator=(const dump_signal&) = delete;
    ~dump_signal() { stop(); }

    /// Once; the thread inherits the caller's blocked signals. Throws std::invalid_argument for
    /// what is no signal, usage_error for one that the program handles, std::system_error.
    void start(int signal_number);
    /// Idempotent; not on the dumper's thread. No call of the handler is under way afterwards.
    void stop() noexcept;
    [[nodiscard]] bool is_this_thread() const noexcept;
    /// Any thread; empty: standard error.
    void set_handler(task_dump_handler handler);

private:
    using env = real_environment;

    static void enter(void* self) noexcept;
    void loop() noexcept;
    void dump() noexcept;

    runtime_core& core_;
    int signal_ = 0;              // 0: none
    std::uint32_t answered_ = 0;  // the dumper's, once it runs
    env::atomic<bool> stopping_{false};
    env::atomic<bool> runs_{false};
    std::thread::id id_;  // of the dumper, once it runs
    std::unique_ptr<worker_thread> thread_;
    std::recursive_mutex handler_mutex_;                // held during a call
    std::shared_ptr<const task_dump_handler> handler_;  // guarded; null: none
};

}  // namespace weft::detail
