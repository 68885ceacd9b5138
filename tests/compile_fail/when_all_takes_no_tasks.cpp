// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A task goes on when its when_all is over: the children of a join live no longer than the await.
// expect: a task runs by itself: gather waits for tasks
#include "weft/combine/gather.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/task/create_task.hpp"

weft::coro<int> body() { co_return 1; }

weft::coro<> joins() {
    auto started = weft::create_task(body());
#ifndef WEFT_CONTROL
    co_await weft::when_all(body(), started);
#endif
    co_await weft::gather(body(), started);
    co_await weft::when_all(body(), body());
}
