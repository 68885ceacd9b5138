// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A task that nobody awaits would go on behind the loop's end.
// expect: returns nothing or a coro<>
#include "weft/combine/parallel_for.hpp"
#include "weft/task/create_task.hpp"

weft::coro<> nothing(int) { co_return; }

weft::coro<> starts_tasks() {
#ifndef WEFT_CONTROL
    co_await weft::parallel_for(0, 10, [](int i) { return weft::create_task(nothing(i)); });
#endif
    co_await weft::parallel_for(0, 10, nothing);
}
