// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/fork_guard.hpp"

#include <pthread.h>
#include <signal.h>

#include <mutex>

#include "ports/live_runtimes.hpp"
#include "sched/runtime_core.hpp"
#include "sched/signal_watch.hpp"
#include "weft/task/frame_pool.hpp"

namespace weft::detail {

constinit real_environment::atomic<std::uint32_t> fork_count{0};

namespace {

constinit std::mutex preparation;
sigset_t mask_before_fork;  // of the thread that forks: it holds the mutexes

// In any order: nobody takes one of them while he holds the other.
void before_fork() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // F2
    preparation.lock();
    mask_before_fork = before;
    live_runtime::hold_list();
    signal_watch::hold_list();
    hold_frame_pool();
}

void in_parent() {
    release_frame_pool();
    signal_watch::release_list();
    live_runtime::release_list();
    const sigset_t before = mask_before_fork;
    preparation.unlock();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void in_child() {
    fork_count.store(forks_survived() + 1, std::memory_order_relaxed);  // the only thread
    live_runtime::forget_all();
    signal_watch::forget_all();
    forget_other_threads_pools();
    in_parent();
    if (const worker_port* here = this_worker())
        static_cast<const runtime_core&>(here->runtime()).unblock_signals();
}

// Before there are threads. It fails without memory only: then forks go unguarded.
[[maybe_unused]] const int installed = pthread_atfork(&before_fork, &in_parent, &in_child);

}  // namespace

void prepare_process() {
    const std::scoped_lock hold{preparation};
    real_environment::initialise();
}

}  // namespace weft::detail
