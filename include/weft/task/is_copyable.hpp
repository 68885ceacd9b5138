// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Whether a value can be copied, for the awaits that have to choose between a copy and a move.
#pragma once

#include <concepts>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft {

/// Whether a T can be copied. `co_await` of a task's or future's temporary or moved handle copies
/// the value while there are other handles, if it can be, and moves it out otherwise.
///
/// A container says that it can be copied whatever it holds, and so does a class with a member like
/// that: elements are asked here, members cannot be. For such a class delete the copy constructor,
/// or specialise this: `template <> struct weft::is_copyable<mine> : std::false_type {};`.
template <class T>
struct is_copyable : std::bool_constant<std::copy_constructible<T>> {};
template <class T>
    requires(requires(T& range) {
        typename T::value_type;
        range.begin();
        range.end();
    } && !std::same_as<T, typename T::value_type>)
struct is_copyable<T>
    : std::bool_constant<std::copy_constructible<T> && is_copyable<typename T::value_type>::value> {
};

template <class... Ts>
    requires(sizeof...(Ts) != 0)
struct is_copyable<std::tuple<Ts...>> : std::conjunction<is_copyable<Ts>...> {};
template <class T, class U>
struct is_copyable<std::pair<T, U>> : std::conjunction<is_copyable<T>, is_copyable<U>> {};
template <class T>
struct is_copyable<std::optional<T>> : is_copyable<T> {};
template <class... Ts>
struct is_copyable<std::variant<Ts...>> : std::conjunction<is_copyable<Ts>...> {};

}  // namespace weft
