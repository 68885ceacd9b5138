// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: deleted
// expect: write co_await std::move\(c\), or co_await f\(\) directly
#include "weft/task/coro.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<int> await_twice() {
    weft::coro<int> one = body();
#ifndef WEFT_CONTROL
    co_await one;
#endif
    co_return co_await std::move(one);
}
