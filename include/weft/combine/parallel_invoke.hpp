// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// parallel_invoke: a when_all of callables that need not be coroutines.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "weft/combine/split_range.hpp"
#include "weft/combine/when_all.hpp"

namespace weft {

namespace detail {

/// What one of them gives, of the coroutine if it is one.
template <class Callable>
using invoked = typename awaited_value<std::remove_cv_t<std::invoke_result_t<Callable&>>>::type;

template <class Callable>
coro<invoked<Callable>> invoke_once(Callable callable) {
    if constexpr (!is_coro<std::invoke_result_t<Callable&>>) {
        co_return std::invoke(callable);
    } else if constexpr (std::is_void_v<invoked<Callable>>) {
        co_await std::invoke(callable);
    } else {
        auto value = co_await std::invoke(callable);
        co_return std::move(value);
    }
}

}  // namespace detail

/// Calls each of the callables once, without arguments, on whichever workers are free, and waits
/// for all. A callable returns a value, nothing, or a coro of one, which is awaited; it is moved
/// into the call and lives to its end. Gives the values in argument order, std::monostate for void.
/// Allocates one coroutine a callable, at the call. Order, errors and cancellation are when_all's.
template <class... Callables>
    requires(std::is_invocable_v<Callables&> && ...)
[[nodiscard]] detail::when_all_pack<detail::invoked<Callables>...> parallel_invoke(
    Callables... callables) {
    return when_all(detail::invoke_once(std::move(callables))...);
}

}  // namespace weft
