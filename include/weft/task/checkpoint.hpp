// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// checkpoint: where a coroutine that computes for long, or whose awaits never suspend, looks
// whether it is to stop.
#pragma once

#include <coroutine>

#include "weft/task/coro.hpp"

namespace weft {

namespace detail {

class checkpoint_operation {
public:
    checkpoint_operation() noexcept {}
    bool await_ready() const noexcept { return false; }
    /// Never suspends: it is here to learn who awaits.
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        const runnable& place = caller.promise().in_place();
        if (place.lifecycle.has_requests() || place.worker->current.direct() != nullptr)
            [[unlikely]]
            requested_ = take_requests(caller.promise());
        return false;
    }
    void await_resume() {
        if (requested_ != nullptr) throw_cancelled(*requested_);
    }

private:
    /// The runnable that was asked to stop, or null.
    [[nodiscard]] static runnable* take_requests(promise_base& here) noexcept;
    runnable* requested_ = nullptr;
};

}  // namespace detail

/// Throws `cancelled` if the task has been asked to stop and has not been told yet; else goes on at
/// once. It never suspends and lets nobody else run: a few instructions, for the inside of a loop.
/// yield() is a cancellation point as well, and gives others their turn. An await that finds its
/// result there, such as that of a task that is done, is neither.
[[nodiscard]] inline detail::checkpoint_operation checkpoint() noexcept { return {}; }

}  // namespace weft
