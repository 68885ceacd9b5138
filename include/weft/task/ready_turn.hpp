// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The cooperative budget of awaits that find what they wait for and do not suspend: a task of
// nothing but such awaits would keep its worker for ever. After 128 in one run it gives way to what
// is ready by then, and goes on in its next turn. It is no cancellation point.
#pragma once

#include <coroutine>

#include "weft/ports/ports.hpp"
#include "weft/task/coro.hpp"

namespace weft::detail {

/// For an await_ready that would say yes: whether it may. If not, its await_suspend gives way.
[[nodiscard]] inline bool may_go_on() noexcept { return this_worker()->spend_ready_await(); }

/// `self` goes on with `caller` in its next turn. Nothing is to touch its frame afterwards.
void give_way(runnable& self, std::coroutine_handle<> caller) noexcept;

/// An await of nothing that counts as one of those.
class ready_turn {
public:
    ready_turn() noexcept {}
    bool await_ready() const noexcept { return may_go_on(); }
    template <weft_promise Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) const noexcept {
        give_way(caller.promise().current(), caller);
    }
    void await_resume() const noexcept {}
};

}  // namespace weft::detail
