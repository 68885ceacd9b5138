// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/with_timeout.hpp"

#include <thread>

#include "weft/task/task_state.hpp"

namespace weft::detail {

void timeout_scope::enter(runnable& self) noexcept {
    self_ = &self;
    baseline_ = self.lifecycle.cancelling();
    if (until_ == time_point::min())
        on_fire(*this);  // the request waits for the body's first suspension
    else if (until_ != time_point::max())
        self.worker->arm(*this, until_);
}

bool timeout_scope::leave() noexcept {
    const auto disarm = [this] { return port == nullptr || port->disarm(*this); };
    const auto epoch = expiry_.end(disarm, [] { std::this_thread::yield(); });
    return epoch && self_->lifecycle.withdraw(*epoch) <= baseline_;
}

std::uint64_t timeout_scope::on_fire(timer_waiter& waiter) noexcept {
    auto& scope = static_cast<timeout_scope&>(waiter);
    std::uint64_t task = scope.self_->owner->id();  // read before the scope may go
    reason_ref why = make_reason("the deadline passed", std::source_location::current());
    scope.expiry_.apply(request_cancel_in_scope(*scope.self_, why));
    return task;
}

}  // namespace weft::detail
