// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What gather, wait, as_completed and shield take: coroutines and other awaitables, which become
// tasks at the call, and handles to tasks and futures. The one place that says which those are, how
// each becomes a task, and how its value leaves that task.
#pragma once

#include <concepts>
#include <exception>
#include <expected>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/combine/when_all.hpp"
#include "weft/task/awaitable.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/future.hpp"

namespace weft {

/// What became of one task: its value, or its exception (`cancelled` included).
template <class T>
using settled = std::expected<T, std::exception_ptr>;

namespace detail {

/// `value`: what the task gives · `own`: nobody else has the task, so its value is moved out of it,
/// else copied · `start`: the task.
template <class A>
struct gather_argument {};

template <class T>
struct gather_argument<coro<T>> {
    using value = T;
    static constexpr bool own = true;
    static any_task start(coro<T>& body) { return create_task(std::move(body)); }
};

inline any_task checked_handle(const any_task& handle) {
    WEFT_CHECK(handle, "gather, wait, as_completed or shield was given an empty task handle");
    return handle;
}

template <class T>
struct gather_argument<task<T>> {
    using value = T;
    static constexpr bool own = false;
    static any_task start(const task<T>& handle) { return checked_handle(handle); }
};

template <class T>
struct gather_argument<future<T>> {
    using value = T;
    static constexpr bool own = false;
    static any_task start(const future<T>& handle) {
        return checked_handle(task_access::handle_of(handle));
    }
    static future<T> handle(const any_task& state) { return future_access::adopt<T>(state); }
};

template <>
struct gather_argument<any_task> {
    using value = void;
    static constexpr bool own = false;
    static any_task start(const any_task& handle) { return checked_handle(handle); }
};

/// An operation that can be kept, and awaited later: a gather, a shield, a ticket of as_completed.
template <class A>
concept movable_awaitable = std::is_class_v<A> && std::move_constructible<A> && awaitable<A>;

template <movable_awaitable A>
struct gather_argument<A> {
    using value = awaited_value_t<A>;
    static constexpr bool own = true;
    static any_task start(A& operation) { return create_task(as_coro(std::move(operation))); }
};

template <class A>
concept gatherable = requires { typename gather_argument<std::remove_cvref_t<A>>::value; };

/// Handles alone: nothing is started.
template <class A>
concept gatherable_handle = gatherable<A> && !gather_argument<A>::own;

template <class A>
using gathered = typename gather_argument<A>::value;

/// The value of a task that has one, where it lies.
template <class T>
T& value_in(task_state& state) noexcept {
    return static_cast<value_record<T>&>(state).value().get();
}

/// The same for its receiver.
template <class A>
value_or_monostate<gathered<A>> gathered_value(task_state& state) {
    if constexpr (std::is_void_v<gathered<A>>)
        return {};
    else if constexpr (gather_argument<A>::own)
        return std::move(value_in<gathered<A>>(state));
    else
        return value_in<gathered<A>>(state);
}

template <class A>
settled<gathered<A>> settled_value(task_state& state) {
    if (state.outcome() != task_state::outcome_kind::value) {
        state.mark_observed();
        return std::unexpected(state.error());
    }
    if constexpr (std::is_void_v<gathered<A>>)
        return {};
    else
        return gathered_value<A>(state);
}

/// The handle that tells of a child of kind A.
template <class A>
using handle_of = std::conditional_t<gather_argument<A>::own, task<gathered<A>>, A>;

template <class A>
handle_of<A> handle_to(const any_task& child) {
    if constexpr (std::same_as<handle_of<A>, any_task>) {
        return child;
    } else if constexpr (requires { gather_argument<A>::handle(child); }) {
        return gather_argument<A>::handle(child);
    } else {
        task_state* const state = task_access::state(child);
        state->retain();
        return task_access::adopt(static_cast<task_record<gathered<A>>*>(state));
    }
}

template <class... As>
std::vector<any_task> start_all(As&... arguments) {
    std::vector<any_task> tasks;
    tasks.reserve(sizeof...(As));
    (tasks.push_back(gather_argument<As>::start(arguments)), ...);
    return tasks;
}

template <class A>
std::vector<any_task> start_range(std::vector<A>& arguments) {
    std::vector<any_task> tasks;
    tasks.reserve(arguments.size());
    for (A& a : arguments) tasks.push_back(gather_argument<A>::start(a));
    return tasks;
}

}  // namespace detail

}  // namespace weft
