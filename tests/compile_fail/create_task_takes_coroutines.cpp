// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: no matching function
#include "weft/task/create_task.hpp"

weft::coro<> body() { co_return; }

void start() {
    weft::create_task(&body);
#ifndef WEFT_CONTROL
    weft::create_task([] { return 1; });
#endif
}
