// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// wait: looks on until some of several tasks, or all, have ended, for a time if wanted, and leaves
// them alone otherwise. gather gives their values; this says which of them are done.
#pragma once

#include <coroutine>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "weft/combine/gather_argument.hpp"
#include "weft/combine/gather_core.hpp"
#include "weft/combine/limited_operation.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/time_limit.hpp"

namespace weft {

enum class return_when : std::uint8_t {
    all_completed,
    first_completed,
    /// When one has ended with an exception; a cancelled one does not count. If none does, when all
    /// have ended.
    first_exception,
};

struct wait_options {
    /// A duration counts from the call. Over at once: a look after what is ready had its turn.
    time_limit timeout = std::nullopt;
    weft::return_when return_when = weft::return_when::all_completed;
};

/// Each task once, in the order in which they were given.
template <class Task>
struct wait_result {
    std::vector<Task> done;
    std::vector<Task> pending;
};

namespace detail {

/// The await of a wait, without the tasks' types.
class wait_operation final : public limited_operation {
public:
    /// Throws std::invalid_argument for no tasks.
    wait_operation(std::vector<any_task> tasks, wait_options options);
    ~wait_operation();

    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    bool await_ready() const noexcept { return core_->is_over() && may_go_on(); }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    void await_resume() { end(); }

    /// Whether the time is up without any wait.
    [[nodiscard]] bool only_looks() const noexcept {
        return deadline() == time_point::min() && !core_->is_over();
    }
    /// With one worker, whose order is asyncio's: a wait that a task has ended takes another turn.
    /// asyncio's takes it on the way, and what ends in that turn is part of what it reports.
    [[nodiscard]] bool owes_a_turn() const noexcept;

private:
    [[nodiscard]] bool expire() noexcept override;
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    void end();

    gather_core* core_;
    runnable* self_ = nullptr;
    bool has_expired_ = false;  // the timer's, until it has fired
    bool awaits_itself_ = false;
};

/// Each task once, by whether it is done now.
template <class Task>
wait_result<Task> sort_by_state(std::vector<Task>& tasks) {
    std::unordered_set<const task_state*> seen;
    wait_result<Task> result;
    for (Task& t : tasks) {
        if (!seen.insert(task_access::state(t)).second) continue;
        (t.done() ? result.done : result.pending).push_back(std::move(t));
    }
    return result;
}

template <class Task>
coro<wait_result<Task>> wait_for_tasks(std::vector<Task> tasks, wait_options options) {
    wait_operation ended{start_range(tasks), options};
    if (ended.only_looks()) {
        co_await yield();
    } else {
        co_await ended;
        if (ended.owes_a_turn()) co_await yield();
    }
    co_return sort_by_state(tasks);
}

}  // namespace detail

/// Waits until all of the tasks have ended, or as `options` say, and gives what is done at that
/// moment and what is not: `auto [done, pending] = co_await wait(tasks, {.timeout = 1s});`. Throws
/// nothing for what the tasks ended with and does not count as having seen it: look at those in
/// `done`. A timeout is no error. Cancelling the awaiting task ends the wait alone, the tasks go
/// on. Tasks that have ended already need no suspension.
///
/// Throws std::invalid_argument for no tasks, usage_error for a task that waits for itself, and
/// std::bad_alloc.
template <detail::gatherable_handle Task>
[[nodiscard]] coro<wait_result<Task>> wait(std::vector<Task> tasks, wait_options options = {}) {
    return detail::wait_for_tasks(std::move(tasks), options);
}

/// Coroutines would be tasks that nobody has a handle to: give them to create_task first.
template <class T>
void wait(std::vector<coro<T>> tasks, wait_options options = {}) = delete;

}  // namespace weft
