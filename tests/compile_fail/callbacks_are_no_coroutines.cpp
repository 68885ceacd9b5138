// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: a coroutine that nobody awaits does nothing
#include "weft/task/call_soon.hpp"

weft::coro<> body(int) { co_return; }

void start() {
    weft::call_soon([](int) {}, 1);
#ifndef WEFT_CONTROL
    weft::call_soon(&body, 1);
#endif
}
