// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What becomes of a coroutine that goes before anybody awaited it or made a task of it: the failure
// handler of the runtime whose worker this thread is hears of it, and where there is none a line
// goes to standard error. Somebody has forgotten a co_await.
//
// Nobody is told where the coroutine was not forgotten: while an exception unwinds the stack, which
// says more, or is an everyday cancellation; where it was closed; and where weft drops what it was
// given since it has no use for it any more: with a task that was cancelled before it began, at the
// end of a body that threw, in a callback that is not called, beside a when_any's first, behind the
// end of a windowed gather. Each of these takes along what the dropped one was itself given.
#pragma once

#include <coroutine>

namespace weft::detail {

class promise_base;

/// Destroys a coroutine that nobody has entered, and reports that. Out of every coroutine's way.
[[gnu::cold, gnu::noinline]] void drop_never_awaited(std::coroutine_handle<> frame,
                                                     const promise_base& promise) noexcept;

/// As long as this lives, its thread may destroy coroutines without anybody being told. Never
/// across a suspension.
class quiet_drop {
public:
    quiet_drop() noexcept;
    quiet_drop(const quiet_drop&) = delete;
    quiet_drop& operator=(const quiet_drop&) = delete;
    ~quiet_drop();
};

/// A coroutine that was never begun, or has ended, with all that it was given.
[[gnu::cold, gnu::noinline]] void destroy_quietly(std::coroutine_handle<> frame) noexcept;

}  // namespace weft::detail
