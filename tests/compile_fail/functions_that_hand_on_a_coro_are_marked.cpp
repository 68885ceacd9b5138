// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Under the checks clang wants to know which functions return a coroutine and are none.
// only: clang
// flags: -include weft/lifetime_checks.hpp -Werror=dangling
// expect: non-coroutines should be marked with \[\[clang::coro_wrapper\]\]
#include <functional>
#include <string>

#include "weft/weft.hpp"

weft::coro<> reads(const std::string&) { co_return; }

#ifndef WEFT_CONTROL
weft::coro<> forwards(const std::string& text) { return reads(text); }
#endif
WEFT_CORO_WRAPPER weft::coro<> marked(const std::string& text) { return reads(text); }

weft::coro<> calls(std::variant<int, long> either) {
    std::function<weft::coro<>(const std::string&)> function = reads;
    auto lambda = [] WEFT_CORO_WRAPPER(const std::string& text) { return reads(text); };
    co_await marked("x");
    co_await lambda("x");
    co_await function("x");
    co_await std::invoke(reads, "x");
    co_await std::visit([](auto) -> weft::coro<> { co_return; }, either);
}
