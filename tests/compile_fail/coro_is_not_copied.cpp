// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: (deleted|implicitly)
#include "weft/task/coro.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<int> copy_a_coroutine() {
    weft::coro<int> one = body();
#ifndef WEFT_CONTROL
    weft::coro<int> two = one;
#endif
    co_return co_await std::move(one);
}
