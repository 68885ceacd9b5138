// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A worker's timers: a guarded wheel (guarded_wheel.hpp has the protocol) of waiters that know what
// happens at their deadline. The worker arms; any thread disarms.
#pragma once

#include "sched/guarded_wheel.hpp"
#include "weft/ports/ports.hpp"

namespace weft::detail {

class timer_shard final : public timer_port {
public:
    void arm(timer_waiter& entry, time_point deadline) noexcept;
    bool disarm(timer_waiter& entry) noexcept override;

    /// Fires everything due at `now`, outside the lock. Returns how many. Driver only.
    std::size_t fire_due(time_point now, trace::emitter& driver) noexcept;

    /// The earliest deadline, never later than it is; time_point::max() if none. Any thread.
    [[nodiscard]] time_point next_deadline() noexcept { return wheel_.next_deadline(); }
    [[nodiscard]] std::size_t armed() noexcept { return wheel_.armed(); }

private:
    guarded_wheel<real_environment> wheel_;
};

}  // namespace weft::detail
