// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What is lazy does nothing unless it is awaited. A task runs without its handle, which may go.
// flags: -Werror=unused-result
// expect: a coroutine does nothing until it is awaited or given to create_task
// expect: weft::sleep\(1s\)
// expect: weft::gather\(body
// expect: weft::with_timeout\(1s
#include <chrono>

#include "weft/combine/gather.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<> forgets() {
    using namespace std::chrono_literals;
#ifndef WEFT_CONTROL
    body();
    weft::sleep(1s);
    weft::gather(body(), body());
    weft::with_timeout(1s, body());
#endif
    weft::create_task(body());
    co_await body();
    co_await weft::sleep(1s);
}
