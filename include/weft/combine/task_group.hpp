// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// task_group: tasks that live no longer than one block of code, with the rules of asyncio's
// TaskGroup. C++ has no asynchronous destructors, so the block is a coroutine that is called with
// the group:
//
//     auto body = [&](task_group& group) -> coro<> {
//         group.create_task(fetch(first));
//         group.create_task(fetch(second));
//         co_return;
//     };
//     co_await task_group::run(body);  // both are done
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/combine/group_core.hpp"
#include "weft/combine/group_start.hpp"
#include "weft/error.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/quiet_await.hpp"

namespace weft {

class task_group;

struct task_group_options {
    /// How many children may run at one time; 0: any number. Those beyond wait in the order of
    /// their creation and begin when others are done.
    std::size_t limit = 0;
};

namespace detail {

template <class F, class... Args>
using group_result_of = typename coro_result<
    std::invoke_result_t<std::decay_t<F>, task_group&, std::decay_t<Args>...>>::type;
template <class F, class... Args>
concept group_body = requires { typename group_result_of<F, Args...>; };

template <class R, class F, class... Args>
coro<R> run_group(task_group_options options, F body, Args... args);

}  // namespace detail

/// A handle to a group, which exists while run() is awaited. Copies are handles to the same group
/// and may outlive it. Its members may be called on any thread; after the group has ended the ones
/// that add tasks throw usage_error.
class task_group {
public:
    /// Calls `body(group, args...)`, which gives a coroutine, runs it in the current task and waits
    /// for every task of the group; then gives what the body returned. Keeps the callable and the
    /// arguments until then, so captures and references to arguments are safe in all of the group.
    ///
    /// The first failure of a task cancels the others and, once, the body. A body that ends with an
    /// exception cancels the tasks. At the end the errors of all, in the order in which they
    /// happened and the body's last, are thrown as one exception_group; a task that ends cancelled
    /// is no failure.
    /// Cancelling the awaiting task cancels what the body awaits or, once the body has ended, the
    /// tasks; `cancelled` is thrown when all have ended, further requests do not shorten that.
    /// Errors go before it: then it is thrown at the next suspension. A group that was failed or
    /// cancelled from inside leaves no request behind: cancelling() is as before.
    template <class F, class... Args>
        requires detail::group_body<F, Args...>
    [[nodiscard]] static auto run(task_group_options options, F&& body, Args&&... args) {
        using result = detail::group_result_of<F, Args...>;
        return detail::run_group<result, std::decay_t<F>, std::decay_t<Args>...>(
            options, std::forward<F>(body), std::forward<Args>(args)...);
    }
    template <class F, class... Args>
        requires detail::group_body<F, Args...>
    [[nodiscard]] static auto run(F&& body, Args&&... args) {
        return run(task_group_options{}, std::forward<F>(body), std::forward<Args>(args)...);
    }

    /// Makes the coroutine a task of the group: as weft::create_task does, but also from threads
    /// that run no task. Never blocks: beyond the limit the task waits for its turn, and can be
    /// awaited and cancelled meanwhile. A task that waits for one that has no turn yet keeps its
    /// own. Throws usage_error once the group is stopping or has ended: the coroutine is destroyed
    /// then, and has not begun.
    template <class T>
    task<T> create_task(coro<T> body WEFT_LIFETIMEBOUND, task_options options = {}) const;
    /// The same for `callable(args...)`, which returns a coroutine: moves both into the frame.
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    auto create_task(task_options options, F&& callable, Args&&... args) const {
        return create_task(detail::invoke_in_frame<std::decay_t<F>, std::decay_t<Args>...>(
                               std::forward<F>(callable), std::forward<Args>(args)...),
                           options);
    }
    template <class F, class... Args>
        requires detail::coroutine_callable<F, Args...>
    auto create_task(F&& callable, Args&&... args) const {
        return create_task(task_options{}, std::forward<F>(callable), std::forward<Args>(args)...);
    }

    /// `co_await group.start<V>(callable, args...)` creates a task that runs `callable(status,
    /// args...)`, waits until that calls `status.started(value)`, and gives the value, of type V;
    /// the task goes on in the group. `status` is a task_status<V>&. If the task ends before it
    /// reports, its error or `cancelled` is thrown here and the group does not fail; if it returns,
    /// usage_error. Cancelling the task that awaits this cancels the child, and waits for it: one
    /// that catches that and reports all the same declines; one that reports before it meets the
    /// request does not, and both are cancelled. Throws usage_error as create_task does.
    template <class V = void, class F, class... Args>
        requires detail::reporting_callable<V, F, Args...>
    [[nodiscard]] coro<V> start(task_options options, F&& callable, Args&&... args) const {
        return detail::start_in_group<V, std::decay_t<F>, std::decay_t<Args>...>(
            core_, options, std::forward<F>(callable), std::forward<Args>(args)...);
    }
    template <class V = void, class F, class... Args>
        requires detail::reporting_callable<V, F, Args...>
    [[nodiscard]] coro<V> start(F&& callable, Args&&... args) const {
        return start<V>(task_options{}, std::forward<F>(callable), std::forward<Args>(args)...);
    }

    /// Cancels the tasks and the body, which is no error: run() ends normally once all have ended,
    /// unless one of them fails meanwhile. A body that ended before gives its value. If it had none
    /// to give, run() gives an empty optional where the body returns std::optional, and throws
    /// usage_error where it returns anything else but void. Nothing happens if the group is
    /// stopping already or has ended.
    void cancel(std::string_view reason = {},
                std::source_location where = std::source_location::current()) const noexcept {
        core_->cancel(detail::make_reason(reason, where));
    }

private:
    template <class R, class F, class... Args>
    friend coro<R> detail::run_group(task_group_options options, F body, Args... args);
    explicit task_group(const detail::group_ref& core) noexcept : core_(core) {}

    detail::group_ref core_;
};

// ---------------------------------------------------------------------------------------------

namespace detail {

/// Tells the group who runs its body.
class group_entry {
public:
    explicit group_entry(group_core& core) noexcept : core_(&core) {}
    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        core_->enter(caller.promise().current());
        return false;
    }
    void await_resume() const noexcept {}

private:
    group_core* core_;
};

/// What a group gives whose body was stopped before it gave a value.
template <class R>
R no_value() {
    if constexpr (requires(R r) { r = std::nullopt; }) {
        return std::nullopt;
    } else if constexpr (!std::is_void_v<R>) {
        throw usage_error(
            "a task group was cancelled before its body had given a value: where cancel() is used, "
            "the body returns a std::optional, or nothing");
    }
}

template <class R, class F, class... Args>
coro<R> run_group(task_group_options options, F body, Args... args) {
    task_group group{group_ref{options.limit}};
    group_core& core = *group.core_;
    co_await group_entry{core};
    std::exception_ptr error;
    std::optional<coro<R>> main;
    try {
        main.emplace(std::invoke(std::move(body), group, std::move(args)...));
    } catch (...) {
        error = std::current_exception();
    }
    if (main) {
        co_await quiet_await<R>{*main};
        auto& result = coro_access::promise(*main).result;
        if (result.has_error()) {
            error = result.error();
            coro_access::discard(*main);
        }
    }
    core.leave(error);
    co_await group_exit{core};
    const bool has_value = core.conclude(error) == group_core::ending::value;
    if constexpr (std::is_void_v<R>) {
        co_return;
    } else {
        if (!has_value) co_return no_value<R>();
        co_return std::move(coro_access::promise(*main).result.value());
    }
}

}  // namespace detail

template <class T>
task<T> task_group::create_task(coro<T> body, task_options options) const {
    detail::group_admission admission{*core_};
    detail::group_member& member = admission.make_member();
    if (options.start == start_policy::eager) member.start_eagerly();
    return admission.use(body, options);
}

}  // namespace weft
