// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Always-on checks for misuse (WEFT_CHECK) and debug-only checks for internal invariants
// (WEFT_DCHECK). Neither is ever turned into an optimiser assumption: a wrong belief must stop the
// program with a sentence, not licence the compiler to act on it.
#pragma once

namespace weft::detail {

/// Prints "weft: <sentence> (<expression>) at file:line" to standard error and aborts. Any thread.
[[noreturn]] void check_failed(const char* expression, const char* sentence, const char* file,
                               int line) noexcept;

}  // namespace weft::detail

#define WEFT_CHECK(condition, sentence) \
    (static_cast<bool>(condition)       \
         ? static_cast<void>(0)         \
         : ::weft::detail::check_failed(#condition, sentence, __FILE__, __LINE__))

#ifdef NDEBUG
#define WEFT_DCHECK(condition, sentence) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
#define WEFT_DCHECK(condition, sentence) WEFT_CHECK(condition, sentence)
#endif
