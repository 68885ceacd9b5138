// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: (no matching function|constraints not satisfied)
#include "weft/time/with_timeout.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<int> waits() {
    using namespace std::chrono_literals;
    weft::coro<int> one = body();
#ifndef WEFT_CONTROL
    co_await weft::wait_for(one, 1s);
#endif
    co_return co_await weft::wait_for(std::move(one), 1s);
}
