// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Starting tasks from inside a task. From outside a runtime use run() or runtime::spawn().
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/base/lifetime.hpp"
#include "weft/task/task.hpp"

namespace weft {

/// When the body of a new task begins.
enum class start_policy : std::uint8_t {
    /// In its turn, after what is ready already.
    queued,
    /// At once, in create_task, which returns when the body suspends or ends; asyncio's eager
    /// start. What it throws is the task's as always. With a chain of 32 such starts inside of one
    /// another, in a child of when_all or a parallel loop, with another priority than its
    /// creator's, beyond the limit of a task_group, or started otherwise than by create_task or
    /// that of a group, the task is queued.
    eager
};

/// What becomes of a task that is not done when its last handle goes.
enum class drop_policy : std::uint8_t {
    /// It goes on.
    detach,
    /// It is asked to stop, once. Who awaits it, and itself while it keeps a handle, counts as one
    /// who has a handle; its done-callbacks do not.
    cancel
};

/// How a task starts. Trivially destructible members only, so that a braced temporary is safe in a
/// full expression with co_await on every compiler.
struct task_options {
    /// Copied. Empty: the task is called "Task-<id>".
    std::string_view name{};
    /// Empty: that of the task that creates it; outside of tasks, normal.
    std::optional<weft::priority> priority{};
    start_policy start = start_policy::queued;
    drop_policy on_drop = drop_policy::detach;
};

namespace detail {

template <class T>
struct coro_result;
template <class T>
struct coro_result<coro<T>> {
    using type = T;
};
template <class F, class... Args>
using coro_result_of =
    typename coro_result<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>::type;

/// A callable whose call with these arguments, moved into a frame, gives a coroutine.
template <class F, class... Args>
concept coroutine_callable = requires { typename coro_result_of<F, Args...>; };

/// A callable that can be called so, but gives no coroutine.
template <class F, class... Args>
concept plain_callable =
    std::invocable<std::decay_t<F>, std::decay_t<Args>...> && !coroutine_callable<F, Args...>;

/// Keeps the callable and its arguments in a frame for as long as the body runs: the captures of a
/// lambda coroutine live in the lambda, not in the coroutine.
template <class F, class... Args>
coro<coro_result_of<F, Args...>> invoke_in_frame(F callable, Args... args) {
    co_return co_await std::invoke(std::move(callable), std::move(args)...);
}

/// Throws usage_error outside a task.
[[nodiscard]] worker_port& worker_for_create_task();

// Fact: options that are handed on in memory cost as much as queueing the task: they are written in
// bytes and read in words, and the processor waits for that. So these two are always inlined.
// `here` is this thread's worker, if it is one.
template <class T>
[[gnu::always_inline]] inline task<T> start_task(coro<T>& body, task_options options,
                                                 worker_port* worker, runtime_port& runtime,
                                                 worker_port* here = this_worker()) {
    WEFT_CHECK(body.valid(), "create_task was given a coro that was awaited or moved from");
    auto handle = task_access::adopt(task_record<T>::make(body, worker, runtime));
    if (options.on_drop == drop_policy::cancel) task_access::state(handle)->cancel_when_dropped();
    begin_task(*task_access::state(handle), options.name, options.priority, runtime, here);
    return handle;
}

/// Names, ranks and registers a new task; what throws here leaves it cancelled and unstarted.
void begin_task(task_state& state, std::string_view name, std::optional<weft::priority> wanted,
                runtime_port& runtime, worker_port* here);

}  // namespace detail

/// Makes the coroutine a task of the current runtime: unless its options say otherwise it is
/// queued, and starts once the current task suspends or another worker takes it. With one worker,
/// tasks that are queued start in the order of creation, unless memory runs out.
/// Callbacks may create tasks as tasks do. Throws usage_error outside both, runtime_closed during
/// the last phase of shutdown, std::invalid_argument for what is no priority, and std::bad_alloc;
/// in each case the body never runs. What the body looks at must outlive the task: temporaries of
/// this statement do so only if the task is awaited in it.
template <class T>
[[gnu::always_inline]] inline task<T> create_task(coro<T> body WEFT_LIFETIMEBOUND,
                                                  task_options options = {}) {
    detail::worker_port& worker = detail::worker_for_create_task();
    task<T> handle = detail::start_task(body, options, &worker, worker.runtime(), &worker);
    if (options.start == start_policy::eager)
        worker.start_here(*detail::task_access::state(handle));
    else
        worker.submit_back(*detail::task_access::state(handle));
    return handle;
}

/// The same for `callable(args...)`, which returns a coroutine: moves both into the task's frame.
/// The safe form for lambdas with captures, and for arguments that are taken by reference.
template <class F, class... Args>
    requires detail::coroutine_callable<F, Args...>
auto create_task(task_options options, F&& callable, Args&&... args) {
    return create_task(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
                           std::forward<F>(callable), std::forward<Args>(args)...),
                       options);
}
template <class F, class... Args>
    requires detail::coroutine_callable<F, Args...>
auto create_task(F&& callable, Args&&... args) {
    return create_task(task_options{}, std::forward<F>(callable), std::forward<Args>(args)...);
}

// What returns at once is done when create_task would return: call it.
template <class F, class... Args>
    requires detail::plain_callable<F, Args...>
void create_task(task_options options, F&& callable, Args&&... args) = delete;  // needs a coro<T>
template <class F, class... Args>
    requires detail::plain_callable<F, Args...>
void create_task(F&& callable, Args&&... args) = delete;  // a task's callable returns a coro<T>

/// The task that runs on this thread; empty in what is none, such as a callback. Throws usage_error
/// on a thread that is no worker.
[[nodiscard]] any_task current_task();

/// Every task of the current runtime that is not done, the current one included. Contains each
/// task created before the call and not done after it; others may or may not appear. Throws
/// usage_error outside a task.
[[nodiscard]] std::vector<any_task> all_tasks();

}  // namespace weft
