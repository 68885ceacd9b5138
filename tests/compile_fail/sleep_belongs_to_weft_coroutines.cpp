// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine of another library has no task to suspend.
// expect: (constraints not satisfied|no matching|constraint)
#include <chrono>

#include "weft/time/sleep.hpp"

struct foreign {
    struct promise_type {
        foreign get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};

foreign waits() {
#ifndef WEFT_CONTROL
    co_await weft::sleep(std::chrono::seconds{1});
#endif
    co_return;
}
