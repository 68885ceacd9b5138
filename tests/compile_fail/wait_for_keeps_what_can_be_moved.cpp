// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: this awaitable cannot be moved
#include "weft/sync/oneshot.hpp"
#include "weft/time/with_timeout.hpp"

weft::coro<int> receives(weft::oneshot_receiver<int> receiver) {
    using namespace std::chrono_literals;
    int value = co_await weft::wait_for(receiver, 1s);
#ifndef WEFT_CONTROL
    value = co_await weft::wait_for(receiver.operator co_await(), 1s);
#endif
    co_return value;
}
