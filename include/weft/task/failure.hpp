// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the runtime tells its failure handler: an exception that no code is left to receive, and
// other mistakes that nothing else brings to light.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "weft/task/await_chain.hpp"

namespace weft {

struct failure {
    enum class kind {
        never_observed,   ///< a task failed and its last handle went without anybody looking
        during_shutdown,  ///< a task failed while it was being stopped at the end of the runtime
        in_callback,      ///< a done-callback threw, or what was given to call_soon or a strand
        stuck,            ///< a task did not stop before the shutdown deadline; no exception
        deadlock,         ///< see runtime_options::report_deadlocks; no exception
        not_awaited,      ///< see runtime_options::report_unawaited; no exception
        never_awaited,    ///< a coroutine, no task yet, was destroyed unstarted; no exception
    };
    kind what;
    /// never_awaited: of the task that has destroyed it; empty outside of tasks.
    std::string task_name;
    std::exception_ptr exception;
    /// One sentence, with the task's name and what the exception says; never_awaited: with the
    /// coroutine function and where that is.
    std::string message;
    /// stuck, deadlock, not_awaited: what the task waits for.
    await_chain chain{};
};

/// Called on any thread, one call at a time; must not block: the thread that had the failure and
/// others that have one meanwhile wait for it. It may replace itself, and is called from within if
/// it causes a failure. What it throws is reported and dropped.
using failure_handler = std::function<void(const failure&)>;

}  // namespace weft
