// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The eager start: a new task runs until it suspends or ends inside of create_task, that is, inside
// of the run of its creator, which stays on this thread's stack and active.
//
// Nothing but the new task may run there, for the creator would wait for it. What goes from one
// runnable to the next without the loop (submit_and_leave, run_if_next, next_fork) first looks at
// the budget of forks: while that is zero, and is not renewed, everything else is queued, and a
// join suspends the task after its first child.

#include <algorithm>
#include <utility>

#include "sched/worker.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

constexpr std::uint32_t most_nested = 32;  // a start needs some hundred bytes of stack

}  // namespace

/// Not inside of a child of a join: one that runs in its parent's place counts on the deque, and
/// all should be alike. The run's forks are queued by its priority, S6.
bool worker::may_start_here(const task_state& fresh) const noexcept {
    const runnable* const creator = current.get();
    const bool is_child = local_join != nullptr || creator != creator->owner;
    return !is_child && nested_ < most_nested && fresh.priority() == running_at();
}

void worker::start_here(task_state& fresh) noexcept {
    if (!may_start_here(fresh)) return submit_back(fresh);
    publish_direct_await(*this);  // it is not its task that runs now
    runnable& creator = *current.get();
    const bool is_traced = trace.on(trace::bits::tasks);
    if (is_traced) [[unlikely]] {
        trace::task_suspend(trace, trace::suspend_reason::yield);
        trace::task_run(trace, fresh.id(), fresh.runs, trace::run_source::inline_call,
                        ready_count(running_at()));
    }
    const std::uint32_t forks = fork_budget_.load(std::memory_order_relaxed);  // its own
    const std::uint32_t depth = transfer_depth;
    renew_budget(0);
    ++nested_;
    fresh.worker = this;
    resume(fresh);
    --nested_;
    renew_budget(forks);
    transfer_depth = depth;
    ready_awaits_left_ = std::max(ready_awaits_left_, 1U);  // the debt was the new task's
    current.set(creator);
    if (is_traced) [[unlikely]] {
        const std::uint64_t id = creator.owner->id();
        trace::task_wake(trace, id, creator.runs, trace::wake_via::handed_over, index_);
        trace::task_run(trace, id, creator.runs, trace::run_source::inline_call,
                        ready_count(running_at()));
        static_cast<void>(creator.count_run());
    }
}

}  // namespace weft::detail
