// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An awaiter that takes any handle could resume the coroutine on a thread that is no worker.
// g++ finds it at run time, in debug builds: include/weft/task/promise.hpp says why.
// only: clang
// expect: awaits what weft can resume
#include <coroutine>

#include "weft/task/coro.hpp"

struct elsewhere {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    void await_resume() const noexcept {}
};

struct leads_elsewhere {
    elsewhere operator co_await() const noexcept { return {}; }
};

weft::coro<> nothing() { co_return; }

weft::coro<> waits() {
#ifndef WEFT_CONTROL
    co_await leads_elsewhere{};
#endif
    co_await nothing();
}
