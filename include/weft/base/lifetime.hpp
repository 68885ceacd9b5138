// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What clang is told about lifetimes. The attributes say what a coroutine looks at without owning
// it; its -Wdangling, on by default, then reports a coroutine, or the task made of it, that is kept
// longer than that. They change no code; other compilers know nothing like them. What they find,
// and what they do not: docs/lifetimes.md,
// docs/decisions/0025-lifetime-checks.md.
#pragma once

// WEFT_BORROWS_ARGUMENTS: a class of coroutines, each of which looks at what its function was given
// by reference, the object or the lambda that it was called on included. The attribute makes an
// error of every function that returns one without being a coroutine or marked
// [[clang::coro_wrapper]], such as that inside of std::function: hence for those who ask, by
// lifetime_checks.hpp.
#if defined(WEFT_LIFETIME_CHECKS)
#define WEFT_BORROWS_ARGUMENTS [[clang::coro_return_type, clang::coro_lifetimebound]]
#else
#define WEFT_BORROWS_ARGUMENTS
#endif

// WEFT_LIFETIMEBOUND: what the function returns looks at what this parameter looks at.
#if defined(__clang__)
#define WEFT_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define WEFT_LIFETIMEBOUND
#endif

// WEFT_CORO_WRAPPER: a function that returns a coro and is no coroutine.
#if defined(WEFT_LIFETIME_CHECKS)
#define WEFT_CORO_WRAPPER [[clang::coro_wrapper]]
#else
#define WEFT_CORO_WRAPPER
#endif

// WEFT_OWNS_ARGUMENTS: a function that returns a coro, but moves or copies what it is given by
// reference, and needs the object that it was called on no longer.
#if defined(WEFT_LIFETIME_CHECKS)
#define WEFT_OWNS_ARGUMENTS [[clang::coro_disable_lifetimebound]]
#else
#define WEFT_OWNS_ARGUMENTS
#endif
