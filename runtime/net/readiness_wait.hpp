// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The suspension of a network operation: waits until its direction of the socket is worth another
// system call. The holder of the direction awaits one after EAGAIN; it gets an error code, throws
// `cancelled`, or tries again.
#pragma once

#include <coroutine>
#include <system_error>

#include "net/socket_state.hpp"
#include "weft/task/promise.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

class readiness_wait final : public operation, public io_waiter {
public:
    readiness_wait(socket_state& socket, io_direction direction, trace::suspend_reason why) noexcept
        : io_waiter{&on_event}, socket_(&socket), direction_(direction), why_(why) {}
    readiness_wait(const readiness_wait&) = delete;
    readiness_wait& operator=(const readiness_wait&) = delete;

    bool await_ready() const noexcept { return false; }
    template <class Promise>
        requires std::derived_from<Promise, promise_base>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    /// Empty: try again. operation_canceled: closed. Else: the registration failed.
    [[nodiscard]] std::error_code await_resume();

    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override { return why_; }

private:
    bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    static void on_event(io_waiter* waiter) noexcept;

    socket_state* socket_;
    reactor_slot* slot_ = nullptr;
    runnable* self_ = nullptr;  // set once it waits
    std::error_code error_;
    io_direction direction_;
    trace::suspend_reason why_;
};

}  // namespace weft::detail
