// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/fork_guard.hpp"

#include <pthread.h>

#include "ports/live_runtimes.hpp"
#include "sched/runtime_core.hpp"
#include "sched/signal_watch.hpp"
#include "weft/task/frame_pool.hpp"

namespace weft::detail {

constinit real_environment::atomic<std::uint32_t> fork_count{0};

namespace {

// In any order: nobody takes one of them while he holds the other.
void before_fork() {
    live_runtime::hold_list();
    signal_watch::hold_list();
    hold_frame_pool();
}

void in_parent() {
    release_frame_pool();
    signal_watch::release_list();
    live_runtime::release_list();
}

void in_child() {
    fork_count.store(forks_survived() + 1, std::memory_order_relaxed);  // the only thread
    live_runtime::forget_all();
    signal_watch::forget_all();

    forget_other_threads_pools();
    if (const worker_port* here = this_worker())
        static_cast<const runtime_core&>(here->runtime()).unblock_signals();
    in_parent();
}

}  // namespace

void guard_forks() {
    static const int installed = pthread_atfork(&before_fork, &in_parent, &in_child);
    static_cast<void>(installed);  // fails without memory only: then forks go unguarded
}

}  // namespace weft::detail
