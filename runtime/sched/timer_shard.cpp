// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/timer_shard.hpp"

#include <algorithm>

#include "weft/trace/events.hpp"

namespace weft::detail {

void timer_shard::arm(timer_waiter& entry, time_point deadline) noexcept {
    entry.port = this;
    std::lock_guard guard{mutex_};
    wheel_.insert(entry, deadline);
}

bool timer_shard::disarm(timer_waiter& entry) noexcept {
    std::lock_guard guard{mutex_};
    return wheel_.remove(entry);
}

std::size_t timer_shard::fire_due(time_point now, trace::emitter& driver) noexcept {
    timer_list due;
    std::size_t count = 0;
    {
        std::lock_guard guard{mutex_};
        if (wheel_.is_empty()) return 0;
        count = wheel_.expire(now, due);
    }
    while (timer_entry* entry = due.pop_front()) {
        auto& waiter = static_cast<timer_waiter&>(*entry);
        std::int64_t due_at = std::max<std::int64_t>(waiter.deadline(), 0);  // no overflow
        auto late = static_cast<std::uint64_t>(now.time_since_epoch().count() - due_at);
        trace::timer_fire(driver, waiter.fire(waiter), late);
    }
    return count;
}

time_point timer_shard::next_deadline() noexcept {
    std::lock_guard guard{mutex_};
    return wheel_.next_deadline_time();
}

std::size_t timer_shard::armed() noexcept {
    std::lock_guard guard{mutex_};
    return wheel_.size();
}

}  // namespace weft::detail
