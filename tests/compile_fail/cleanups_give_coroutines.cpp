// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: a clean-up is a callable that gives coro
#include "weft/task/with_cleanup.hpp"

weft::coro<> body() { co_return; }

weft::coro<> cleans_up() {
    co_await weft::with_cleanup(body(), [] { return body(); });
#ifndef WEFT_CONTROL
    co_await weft::with_cleanup(body(), [] { static_cast<void>(body()); });
#endif
}
