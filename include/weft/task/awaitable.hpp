// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a coroutine of weft can await, as a concept, and one way to make a coroutine of any of it:
// wait_for, move_on_after, with_cleanup and their like take a coro, a task, or anything else.
#pragma once

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include "weft/task/coro.hpp"

namespace weft {

namespace detail {

template <class A>
using awaiter_type = decltype(awaiter_of(std::declval<A>()));

template <class A>
concept weft_awaiter = requires(std::remove_reference_t<A>& awaiter,
                                std::coroutine_handle<coro_promise<void>> caller) {
    { awaiter.await_ready() } -> std::convertible_to<bool>;
    awaiter.await_suspend(caller);
    awaiter.await_resume();
};

}  // namespace detail

/// What may be awaited in a coroutine of weft: `coro<T>&&`, `task<T>`, `task<T>&`, an operation, a
/// type with `operator co_await`. Not an lvalue coro, and no awaitable of another library.
template <class A>
concept awaitable = requires { typename detail::awaiter_type<A>; } &&
                    detail::weft_awaiter<detail::awaiter_type<A>> && !detail::foreign_awaitable<A>;

/// What `co_await` of an A gives, as a value: T for `task<T>&`, whose await gives T&.
template <awaitable A>
using awaited_value_t = std::remove_cvref_t<
    decltype(std::declval<std::remove_reference_t<detail::awaiter_type<A>>&>().await_resume())>;

namespace detail {

/// How a frame keeps what it was given as `A&&`: what can be copied, or moved, is its own; an
/// lvalue that can be neither, such as a receiver, stays where it is and has to outlive the frame.
template <class A>
using kept_awaitable = std::conditional_t<std::is_lvalue_reference_v<A> &&
                                              !std::constructible_from<std::remove_cvref_t<A>, A>,
                                          A, std::remove_cvref_t<A>>;

/// Awaits `kept` in a frame of its own. A task that was given as an lvalue keeps its value, of
/// which this gives a copy; one that was moved in gives it away.
template <class A>
coro<awaited_value_t<A>> await_in_frame(kept_awaitable<A> kept) {
    co_return co_await static_cast<A&&>(kept);
}

template <class T>
coro<T> as_coro(coro<T>&& body) noexcept {
    return std::move(body);
}
template <awaitable A>
coro<awaited_value_t<A>> as_coro(A&& given) {
    static_assert(std::constructible_from<kept_awaitable<A>, A>,
                  "this awaitable cannot be moved, so nobody else can keep it: await it in a "
                  "coroutine of your own and pass that");
    return await_in_frame<A>(std::forward<A>(given));
}

}  // namespace detail

}  // namespace weft
