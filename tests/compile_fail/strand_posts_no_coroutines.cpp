// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: a coroutine that nobody awaits does nothing
#include "weft/sync/strand.hpp"

weft::coro<> body() { co_return; }

void start(const weft::strand& s) {
    s.post([] {});
#ifndef WEFT_CONTROL
    s.post(&body);
#endif
}
