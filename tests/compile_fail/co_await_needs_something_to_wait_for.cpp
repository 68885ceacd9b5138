// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// clang says what co_await takes. g++ has no await_transform (include/weft/task/promise.hpp says
// why) and names the type.
// expect: there is nothing to wait for: co_await takes the call of a coroutine|is not a structure
// expect: .int. does not satisfy|awaitable type .int. is not a structure
// expect: .bool. does not satisfy|awaitable type .bool. is not a structure
// expect: .weft::task<int> \*. does not satisfy|awaitable type .weft::task<int>\*. is not a
// structure expect: .weft::coro<int> \(&\)\(\). does not satisfy|awaitable type
// .weft::coro<int>\(\). is not expect: std::vector<.* does not satisfy|no member named
// .await_ready. in .*std::vector expect: reference to .void.|awaitable type .void. is not a
// structure
#include <vector>

#include "weft/combine/gather.hpp"
#include "weft/task/create_task.hpp"

weft::coro<int> body() { co_return 1; }
int computes();
void returns_nothing();

weft::coro<> waits() {
    weft::task<int> started = weft::create_task(body());
    std::vector<weft::task<int>> several;
#ifndef WEFT_CONTROL
    co_await computes();
    co_await started.done();
    co_await &started;
    co_await body;
    co_await several;
    co_await returns_nothing();
#endif
    co_await started;
    co_await body();
    co_await weft::gather(several);
}
