// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// For a build whose only purpose is to find mistakes: clang (18 or newer) is given this header
// before anything else, by the flags `-include weft/lifetime_checks.hpp -Werror=dangling`. It then
// refuses a coroutine, or a task made of one, that is kept while the temporary that it looks at is
// gone: an argument of its function, or the lambda whose captures it uses. The program is the same
// with and without it. docs/lifetimes.md says what is found, what is not, and how to mark a
// function of your own that returns a coroutine but is none.
#pragma once

#if !defined(__clang__) || __clang_major__ < 18
#error "weft/lifetime_checks.hpp needs clang 18 or newer"
#endif

// Whatever was compiled before this header would lack its marks.
#if defined(WEFT_LIFETIME_CHECKS) || defined(_GLIBCXX_FUNCTIONAL) || defined(_LIBCPP_FUNCTIONAL)
#error "give weft/lifetime_checks.hpp to the compiler with -include, before every other header"
#endif
#define WEFT_LIFETIME_CHECKS 1

// Functions that hand a coroutine on: those of weft, and those that std::function, std::invoke and
// their like have inside.
#pragma clang attribute push([[clang::coro_wrapper]], apply_to = function)
#include <expected>
#include <functional>
#include <future>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>
#include <variant>

#include "weft/weft.hpp"
#pragma clang attribute pop
