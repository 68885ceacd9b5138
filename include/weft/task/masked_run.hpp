// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine that runs inside its task and that no request to the task reaches: the clean-up of
// with_cleanup that is not to be interrupted. It runs in a runnable of its own, which nobody can
// name, and the task waits for that with an operation that never lets itself be taken out. So a
// request stays undelivered, as if the task had been computing, and is met at the next suspension.
//
// Its words are part of the lifecycle word's protocol (lifecycle.hpp).
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "weft/task/coro.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

/// In whose place the coroutine runs. Time limits inside of it cancel this.
struct masked_runnable final : runnable {
    explicit masked_runnable(runnable& waits) noexcept
        : runnable(kind, waits.worker, waits.owner), awaiting(&waits) {}

    runnable* awaiting;

    static std::coroutine_handle<> finish(runnable& self, std::coroutine_handle<> frame) noexcept;
    static const runnable_ops kind;
};

/// `co_await masked_run(body)`: to the end of `body`, whatever is asked of the task meanwhile.
/// Throws what the body throws, never a cancellation of its own.
class masked_run final : public operation {
public:
    explicit masked_run(coro<> body) noexcept : body_(std::move(body)) {}
    masked_run(const masked_run&) = delete;
    masked_run& operator=(const masked_run&) = delete;
    ~masked_run() = default;

    bool await_ready() const noexcept {
        WEFT_CHECK(body_.valid(), "a clean-up was given as a coro that was awaited or moved from");
        return false;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    void await_resume() { coro_access::promise(body_).result.take(); }

    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

private:
    [[nodiscard]] std::coroutine_handle<> begin(runnable& self,
                                                std::coroutine_handle<> caller) noexcept;
    coro<> body_;
    mutable std::optional<masked_runnable> runnable_;  // a looker keeps it waiting
};

}  // namespace weft::detail
