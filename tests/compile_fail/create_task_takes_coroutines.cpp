// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A callable that returns at once has nothing to run in a task.
// expect: a task's callable returns a coro<T>
// expect: needs a coro<T>
#include "weft/task/create_task.hpp"

weft::coro<> body() { co_return; }

void start() {
    weft::create_task(&body);
#ifndef WEFT_CONTROL
    weft::create_task([] { return 1; });
    weft::create_task({.name = "one"}, [](int n) { return n; }, 1);
#endif
}
