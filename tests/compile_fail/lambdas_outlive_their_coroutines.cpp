// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The captures are in the lambda, and a temporary lambda goes at the end of its statement.
// only: clang
// flags: -include weft/lifetime_checks.hpp -Werror=dangling
// expect: local variable 'started'
// expect: local variable 'by_reference'
// expect: local variable 'lazy'
// expect: local variable 'on_a_strand'
#include "weft/weft.hpp"

weft::coro<> starts(const weft::strand& s) {
    int n = 1;
#ifndef WEFT_CONTROL
    auto started = weft::create_task([n]() -> weft::coro<int> { co_return n; }());
    auto by_reference = weft::create_task([&n]() -> weft::coro<int> { co_return n; }());
    weft::coro<int> lazy = [n]() -> weft::coro<int> { co_return n; }();
    auto on_a_strand = s.create_task([n]() -> weft::coro<int> { co_return n; }());
#endif
    // The lambda itself is given, and kept; or it has a name; or it captures nothing; or it is
    // copied into the coroutine; or the coroutine ends within the statement.
    auto given = weft::create_task([n]() -> weft::coro<int> { co_return n; });
    const auto named = [n]() -> weft::coro<int> { co_return n; };
    auto of_named = weft::create_task(named());
    auto without = weft::create_task([](int m) -> weft::coro<int> { co_return m; }(n));
    auto copied = weft::create_task([n](this auto) -> weft::coro<int> { co_return n; }());
    auto kept = s.create_task([n]() -> weft::coro<int> { co_return n; });
    co_await [n]() -> weft::coro<int> { co_return n; }();
    co_await weft::gather(given, of_named, without, copied, kept);
}
