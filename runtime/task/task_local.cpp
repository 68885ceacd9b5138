// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Protocol: variable numbers                              checked by: tests/unit/task
// Words      next: the number of the next variable; none is used twice
// Edges      none: a number is only unique

#include "weft/task/task_local.hpp"

#include <string>
#include <utility>

#include "weft/base/check.hpp"
#include "weft/error.hpp"
#include "weft/task/task_state.hpp"

namespace weft {

namespace detail {

namespace {

task_state& require_settable_task() {
    if (task_state* const task = settable_task()) return *task;
    if (current_runnable() == nullptr) {
        throw usage_error(
            "a task-local value belongs to a task: set it in one, or give it to the task as an "
            "argument");
    }
    throw usage_error(
        "a task-local value cannot be set in a child of when_all or of a parallel loop, which "
        "shares its task's values with its siblings: set it before, or use gather");
}

}  // namespace

std::uint64_t next_variable() noexcept {
    static real_environment::atomic<std::uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);  // unique, no edge
}

const void* find_local(std::uint64_t variable) noexcept {
    const runnable* const self = current_runnable();
    if (self == nullptr) return nullptr;
    const task_context* const map = self->owner->context();
    return map != nullptr ? map->look_up(variable) : nullptr;
}

task_local_token set_local(inheritance how, task_context::value to) {
    task_state& task = require_settable_task();
    const std::uint64_t variable = to.variable;
    context_ref after = task_context::changed(task.context(), how, std::move(to));
    context_ref before = task.exchange_context(after);
    return {variable, how, place_of(task), std::move(before), std::move(after)};
}

void reset_local(std::uint64_t variable, task_local_token& by) {
    task_state& task = require_settable_task();
    if (by.used_) throw usage_error("this task_local_token was used or moved from: it resets once");
    if (by.variable_ != variable) {
        throw usage_error("this task_local_token comes from another variable: reset that one");
    }
    if (by.place_ != place_of(task)) {
        throw usage_error(
            "this task_local_token comes from another task or another context: reset it there");
    }
    // Where nothing else was set meanwhile, nothing need be made.
    if (task.context() != by.after_.get()) {
        std::shared_ptr<const void> old;
        if (const task_context* const map = by.before_.get()) old = map->find(variable);
        by.before_ = task_context::changed(task.context(), by.how_, {variable, std::move(old)});
    }
    by.used_ = true;
    by.after_ = {};
    // The values that go may be anyone's, and use the task: last.
    static_cast<void>(task.exchange_context(std::move(by.before_)));
}

void throw_not_set(const std::source_location& variable) {
    throw usage_error("the task-local variable of " + std::string(variable.file_name()) + ":" +
                      std::to_string(variable.line()) +
                      " is not set in this task and has no default: set it, give it a default, or "
                      "use get_or");
}

}  // namespace detail

task_local_scope::~task_local_scope() {
    const detail::task_state* const task = detail::settable_task();
    WEFT_CHECK(task != nullptr && detail::place_of(*task) == token_.place_,
               "a task_local_scope ended outside of its task or context: keep it a local variable "
               "there");
    detail::reset_local(token_.variable_, token_);
}

}  // namespace weft
