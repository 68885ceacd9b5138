// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the runtime tells its failure handler: an exception that no code is left to receive.
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
    };
    kind what;
    std::string task_name;
    std::exception_ptr exception;
    /// One sentence, with the task's name and what the exception says.
    std::string message;
    /// Where there is no exception: what the task waits for.
    await_chain chain{};
};

/// Called on any thread, one call at a time; must not block: the thread that had the failure and
/// others that have one meanwhile wait for it. It may replace itself, and is called from within if
/// it causes a failure. What it throws is reported and dropped.
using failure_handler = std::function<void(const failure&)>;

}  // namespace weft
