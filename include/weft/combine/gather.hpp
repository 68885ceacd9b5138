// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather: awaits several tasks at once, with asyncio's rules. Coroutines become tasks at the call,
// in argument order; they are tasks like any other and may outlive the await.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <expected>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/base/lifetime.hpp"
#include "weft/combine/gather_core.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/task/create_task.hpp"

namespace weft {

/// What became of one task: its value, or its exception (`cancelled` included).
template <class T>
using settled = std::expected<T, std::exception_ptr>;

namespace detail {

// What gather takes: coroutines, whose value it moves out, and tasks, whose value it copies.
template <class A>
struct gather_argument;
template <class T>
struct gather_argument<coro<T>> {
    using value = T;
    static constexpr bool own = true;
    static any_task start(coro<T>& body) { return create_task(std::move(body)); }
};
template <class T>
struct gather_argument<task<T>> {
    using value = T;
    static constexpr bool own = false;
    static any_task start(task<T>& handle) {
        WEFT_CHECK(handle, "gather was given an empty task handle");
        return handle;
    }
};

template <class A>
using gathered = typename gather_argument<A>::value;

/// The value of a task that has one.
template <class A>
value_or_monostate<gathered<A>> gathered_value(task_state& state) {
    using T = gathered<A>;
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        T& value = static_cast<value_record<T>&>(state).value().get();
        if constexpr (gather_argument<A>::own)
            return std::move(value);
        else
            return value;
    }
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

template <class... As>
class gather_pack final : public gather_operation {
public:
    explicit gather_pack(As&... arguments)
        : gather_operation(gather_core::mode::first_error, start_all(arguments...)) {}
    std::tuple<value_or_monostate<gathered<As>>...> await_resume() {
        end();
        return [this]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple<value_or_monostate<gathered<As>>...>{gathered_value<As>(child(I))...};
        }(std::index_sequence_for<As...>{});
    }
};

template <class... As>
class settle_pack final : public gather_operation {
public:
    explicit settle_pack(As&... arguments)
        : gather_operation(gather_core::mode::settle, start_all(arguments...)) {}
    std::tuple<settled<gathered<As>>...> await_resume() {
        end();
        return [this]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple<settled<gathered<As>>...>{settled_value<As>(child(I))...};
        }(std::index_sequence_for<As...>{});
    }
};

template <class A>
class gather_range final : public gather_operation {
public:
    explicit gather_range(std::vector<A>& arguments)
        : gather_operation(gather_core::mode::first_error, start_range(arguments)) {}
    auto await_resume() {
        end();
        if constexpr (!std::is_void_v<gathered<A>>) {
            std::vector<gathered<A>> values;
            values.reserve(size());
            for (std::size_t i = 0; i < size(); ++i) values.push_back(gathered_value<A>(child(i)));
            return values;
        }
    }
};

template <class A>
class settle_range final : public gather_operation {
public:
    explicit settle_range(std::vector<A>& arguments)
        : gather_operation(gather_core::mode::settle, start_range(arguments)) {}
    std::vector<settled<gathered<A>>> await_resume() {
        end();
        std::vector<settled<gathered<A>>> outcomes;
        outcomes.reserve(size());
        for (std::size_t i = 0; i < size(); ++i) outcomes.push_back(settled_value<A>(child(i)));
        return outcomes;
    }
};

template <class A>
concept gatherable = requires { typename gather_argument<std::remove_cvref_t<A>>::value; };

}  // namespace detail

/// Waits for coroutines and tasks together; gives their values in argument order, std::monostate
/// for void. The first failure or individual cancellation is thrown at once: the others are not
/// cancelled, go on, and their later errors count as observed. Cancelling the awaiting task cancels
/// every child; the await then throws `cancelled` even if all of them declined. The same task may
/// be given several times, but not the awaiting one: usage_error. Without arguments it completes
/// without suspending. Call inside a task.
template <detail::gatherable... As>
[[nodiscard]] detail::gather_pack<std::remove_cvref_t<As>...> gather(
    As... arguments WEFT_LIFETIMEBOUND) {
    return detail::gather_pack<std::remove_cvref_t<As>...>{arguments...};
}

/// The same for any number of one kind: gives std::vector<T>, or nothing for void.
template <detail::gatherable A>
[[nodiscard]] detail::gather_range<A> gather(std::vector<A> arguments WEFT_LIFETIMEBOUND) {
    return detail::gather_range<A>{arguments};
}

/// Waits until all have ended and gives every outcome; throws only `cancelled`, when the awaiting
/// task was cancelled, and then only after all have ended.
template <detail::gatherable... As>
[[nodiscard]] detail::settle_pack<std::remove_cvref_t<As>...> gather_settled(
    As... arguments WEFT_LIFETIMEBOUND) {
    return detail::settle_pack<std::remove_cvref_t<As>...>{arguments...};
}

template <detail::gatherable A>
[[nodiscard]] detail::settle_range<A> gather_settled(std::vector<A> arguments WEFT_LIFETIMEBOUND) {
    return detail::settle_range<A>{arguments};
}

}  // namespace weft
