// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaiting a coroutine without what it ended with: for those that do something else at its end,
// whatever that is, and look at the outcome afterwards.
#pragma once

#include <coroutine>

#include "weft/task/coro.hpp"

namespace weft::detail {

/// Runs `body` as co_await does and throws nothing. The body's frame, with its outcome, stays with
/// `body`, which outlives the await.
template <class T>
class quiet_await {
public:
    explicit quiet_await(coro<T>& body) noexcept : body_(&body) {}

    bool await_ready() const noexcept {
        WEFT_CHECK(body_->valid(), "a coro was given away that was awaited or moved from");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& self = caller.promise().in_place();
        coro_access::promise(*body_).enter(self, &caller.promise());
        return transfer(self, coro_access::handle(*body_));
    }
    void await_resume() const noexcept {}

protected:
    [[nodiscard]] result_slot<T>& result() const noexcept {
        return coro_access::promise(*body_).result;
    }

private:
    coro<T>* body_;
};

}  // namespace weft::detail
