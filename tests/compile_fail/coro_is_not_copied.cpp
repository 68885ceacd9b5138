// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Whoever takes a coroutine takes it by value: the one that runs it owns it.
// expect: deleted
// expect: a coroutine runs once: write std::move\(c\)
// expect: parameter .body.|argument 1 of .*create_task
// expect: parameter .arguments.|argument 1 of .*gather
// expect: parameter .children.|argument 1 of .*when_all
#include "weft/combine/gather.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/task/create_task.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<int> copy_a_coroutine() {
    weft::coro<int> one = body();
#ifndef WEFT_CONTROL
    weft::coro<int> two = one;
    weft::task<int> as_a_task = weft::create_task(one);
    co_await weft::gather(one, body());
    co_await weft::when_all(one, body());
#endif
    co_return co_await std::move(one);
}
