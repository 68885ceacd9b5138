// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// An operation that ends by itself at a deadline, and may end before in other ways. How its timer
// meets its end is the expiry's protocol (expiry.hpp): an await whose timer will fire goes on only
// when it has fired.
#pragma once

#include "weft/task/runnable.hpp"
#include "weft/time/expiry.hpp"

namespace weft::detail {

class limited_operation : public operation, private timer_waiter {
public:
    limited_operation(const limited_operation&) = delete;
    limited_operation& operator=(const limited_operation&) = delete;

protected:
    /// time_point::max(): no limit.
    explicit limited_operation(time_point deadline) noexcept
        : timer_waiter(&on_fire), deadline_(deadline) {}
    ~limited_operation() = default;

    [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
    /// For name_awaited.
    void name_limit(wait_listener& to) const noexcept {
        if (deadline_ != time_point::max()) to.hear_of_limit();
    }
    /// Before `self` suspends: the operation is published already.
    void arm(runnable& self) noexcept;
    /// At the resumption, before anything else.
    void disarm() noexcept;

private:
    /// The deadline has passed: true if that ends the operation, and nothing else will.
    [[nodiscard]] virtual bool expire() noexcept = 0;
    static std::uint64_t on_fire(timer_waiter& waiter) noexcept;

    time_point deadline_;
    runnable* limited_ = nullptr;  // whom the timer wakes
    expiry<real_environment> expiry_;
};

}  // namespace weft::detail
