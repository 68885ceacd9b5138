// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather: awaits several tasks at once, with asyncio's rules. Coroutines become tasks at the call,
// in argument order; they are tasks like any other and may outlive the await.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/base/lifetime.hpp"
#include "weft/combine/gather_argument.hpp"
#include "weft/combine/gather_core.hpp"
#include "weft/combine/gather_window.hpp"

namespace weft {

namespace detail {

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

}  // namespace detail

/// Waits for coroutines, tasks and other awaitables together; gives their values in argument order,
/// std::monostate for void. The first failure or individual cancellation is thrown at once: the
/// others are not cancelled, go on, and their later errors count as observed. Cancelling the
/// awaiting task cancels every child; the await then throws `cancelled` even if all of them
/// declined. The same task may be given several times, but not the awaiting one: usage_error.
/// Without arguments it completes without suspending. Call inside a task.
///
/// Coroutines, and awaitables such as another gather or a shield, become tasks at the call, which
/// go on whatever becomes of the gather; it can be moved, into another task for instance, until it
/// is awaited. Its handle() shows and cancels it from elsewhere.
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

/// The same with at most `options.limit` of the coroutines running at one time: they become tasks
/// in argument order, each when one before it has ended. After the first failure, or a
/// cancellation, no further ones begin: those are destroyed unstarted. Throws std::invalid_argument
/// for a limit of 0.
template <class T>
[[nodiscard]] detail::windowed_gather<T> gather(gather_options options,
                                                std::vector<coro<T>> arguments) {
    return detail::windowed_gather<T>{options, std::move(arguments)};
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

/// The same with at most `options.limit` running at one time. A failure keeps none from beginning.
template <class T>
[[nodiscard]] detail::windowed_settle<T> gather_settled(gather_options options,
                                                        std::vector<coro<T>> arguments) {
    return detail::windowed_settle<T>{options, std::move(arguments)};
}

}  // namespace weft
