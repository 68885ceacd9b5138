// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/timer_shard.hpp"

#include <algorithm>

#include "weft/trace/events.hpp"

namespace weft::detail {

void timer_shard::arm(timer_waiter& entry, time_point deadline) noexcept {
    entry.port = this;
    wheel_.arm(entry, deadline);
}

bool timer_shard::disarm(timer_waiter& entry) noexcept { return wheel_.disarm(entry); }

std::size_t timer_shard::fire_due(time_point now, trace::emitter& driver) noexcept {
    return wheel_.fire_due(now, [&](timer_entry& entry) {
        auto& waiter = static_cast<timer_waiter&>(entry);
        const std::int64_t due_at = std::max<std::int64_t>(waiter.deadline(), 0);  // no overflow
        const auto late = static_cast<std::uint64_t>(now.time_since_epoch().count() - due_at);
        trace::timer_fire(driver, waiter.fire(waiter), late);
    });
}

}  // namespace weft::detail
