// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/limited_operation.hpp"

#include <thread>

#include "weft/task/task_state.hpp"

namespace weft::detail {

void limited_operation::arm(runnable& self) noexcept {
    limited_ = &self;
    if (deadline_ != time_point::max()) self.worker->arm(*this, deadline_);
}

void limited_operation::disarm() noexcept {
    const auto will_not_fire = [this] { return port == nullptr || port->disarm(*this); };
    static_cast<void>(expiry_.settle(will_not_fire, [] { std::this_thread::yield(); }));
}

std::uint64_t limited_operation::on_fire(timer_waiter& waiter) noexcept {
    auto& self = static_cast<limited_operation&>(waiter);
    const std::uint64_t task = self.limited_->owner->id();  // read before the operation may go
    if (self.expire()) wake(*self.limited_);
    self.expiry_.apply(0);
    return task;
}

}  // namespace weft::detail
