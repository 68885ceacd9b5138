// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The seldom-needed part of a task: its name, its done-callbacks, its task-local values, and whom
// to tell about an exception that nobody observed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "task/failure_sink.hpp"
#include "weft/task/task.hpp"

namespace weft::detail {

struct task_extras {
    struct callback {
        callback_token token = 0;
        std::move_only_function<void(any_task)> function;
        context_ref context;  // of whoever registered it
    };

    std::mutex mutex;
    std::string name;                    // guarded by mutex
    std::vector<callback> callbacks;     // guarded by mutex; in the order of registration
    callback_token last_token = 0;       // guarded by mutex
    bool runner_registered = false;      // guarded by mutex
    std::shared_ptr<failure_sink> sink;  // written by the finisher before the outcome is published
    context_ref context;  // guarded by mutex, but for the task, which alone exchanges it, to read
};

}  // namespace weft::detail
