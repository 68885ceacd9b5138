// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/timeout_scope.hpp"

#include <thread>

#include "weft/task/task_state.hpp"

namespace weft {

void detail::throw_timeout(const std::exception_ptr& cause) { throw timeout_error(cause); }

void timeout_scope::throw_unless_fresh() const {
    if (is_fresh()) return;
    throw usage_error("a timeout_scope is for one with_timeout: make a new one for each");
}

inline void timeout_scope::start_timer() noexcept {
    port = nullptr;
    if (has_passed_) {
        on_fire(*this);  // the request waits for the body's next suspension
    } else if (when_ != detail::time_point::max()) {
        detail::runnable& self = *self_;
        detail::worker_port& here = *self.worker;
        const detail::time_point when = when_;
        self.count_limit(1);
        here.arm(*this, when);
    }
}

/// The epoch of the scope's request, if there is one: it is complete then.
inline std::optional<std::uint32_t> timeout_scope::stop_timer() noexcept {
    detail::timer_port* const armed_at = port;
    if (armed_at != nullptr) self_->count_limit(-1);
    const auto disarm = [&] { return armed_at == nullptr || armed_at->disarm(*this); };
    return expiry_.settle(disarm, [] { std::this_thread::yield(); });
}

void timeout_scope::enter(detail::runnable& self) noexcept {
    self_ = &self;
    baseline_ = self.lifecycle.seen_requests();
    stage_ = stage::active;
    start_timer();
}

/// asyncio's timers fire between two steps of a task, never while it runs: a body that ends before
/// it feels the request has ended in time. So it is with those of others: one that is still to be
/// delivered has not ended the body.
bool timeout_scope::leave() noexcept {
    stage_ = stage::over;
    const auto epoch = stop_timer();
    if (!epoch) return false;
    expired_ = !self_->lifecycle.is_undelivered(*epoch);
    self_->lifecycle.withdraw(*epoch, baseline_);
    return expired_ && self_->lifecycle.seen_requests() <= baseline_;
}

bool timeout_scope::expired() const noexcept {
    if (stage_ != stage::active) return expired_;
    const auto epoch = expiry_.applied();
    return epoch && !self_->lifecycle.is_undelivered(*epoch);
}

void timeout_scope::reschedule(time_limit limit) {
    if (self_ == nullptr) {
        throw usage_error(
            "a timeout_scope that no with_timeout has begun is not rescheduled: give it the right "
            "limit");
    }
    // A child in its parent's place looks like the body, another child of the same when_all not.
    if (detail::current_runnable() != self_ || self_->worker->local_join != nullptr) {
        throw usage_error(
            "a timeout_scope is rescheduled by the body that it limits, not by other tasks or the "
            "children of a when_all");
    }
    if (stage_ == stage::over) throw usage_error("a timeout_scope is rescheduled within its body");
    if (const auto epoch = stop_timer()) {
        if (!self_->lifecycle.is_undelivered(*epoch)) {
            port = nullptr;  // it does not count as a limit any more
            throw usage_error("this limit has expired: the body is being stopped already");
        }
        self_->lifecycle.withdraw(*epoch, baseline_);
        expiry_.renew();
    }
    const auto [when, has_passed] = detail::resolve(limit);
    when_ = when;
    has_passed_ = has_passed;
    start_timer();
}

std::uint64_t timeout_scope::on_fire(detail::timer_waiter& waiter) noexcept {
    auto& scope = static_cast<timeout_scope&>(waiter);
    std::uint64_t task = scope.self_->owner->id();  // read before the scope may go
    detail::reason_ref why =
        detail::make_reason("the deadline passed", std::source_location::current());
    scope.expiry_.apply(detail::request_cancel_in_scope(*scope.self_, why));
    return task;
}

}  // namespace weft
