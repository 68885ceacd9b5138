// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine function that takes a reference cannot be kept with a copy of its argument, and a
// call of it in the context would begin nothing there.
// expect: run would end before the coroutine begins
#include "weft/task/context.hpp"

weft::coro<> adds(int& to) {
    ++to;
    co_return;
}

weft::coro<> runs_it(const weft::context& c) {
    int sum = 0;
    co_await c.run(adds(sum));
#ifndef WEFT_CONTROL
    co_await c.run(adds, sum);
#endif
}
