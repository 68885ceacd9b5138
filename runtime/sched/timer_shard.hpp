// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A worker's timer wheel behind a short lock. The worker arms; any thread disarms, which unlinks at
// once, so a cancelled timer leaves nothing behind; whoever drives the shard takes what is due.
// Why a lock and not lazy removal: docs/decisions/0003-timer-lock.md.
//
// Fields     wheel_ → mutex_. An entry is unlinked under the mutex, by whoever disarms it or by the
//            driver that fires it: that decides the race between the two.
#pragma once

#include <cstdint>
#include <mutex>

#include "weft/park/futex_mutex.hpp"
#include "weft/ports/ports.hpp"

namespace weft::detail {

class timer_shard final : public timer_port {
public:
    void arm(timer_waiter& entry, time_point deadline) noexcept;
    bool disarm(timer_waiter& entry) noexcept override;

    /// Fires everything due at `now`, outside the lock. Returns how many. Driver only.
    std::size_t fire_due(time_point now, trace::emitter& driver) noexcept;

    /// The earliest deadline, never later than it is; time_point::max() if none. Any thread.
    [[nodiscard]] time_point next_deadline() noexcept;
    [[nodiscard]] std::size_t armed() noexcept;

private:
    futex_mutex<real_environment> mutex_;
    timer_wheel wheel_{real_environment::now().time_since_epoch().count()};
};

}  // namespace weft::detail
