// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sync/oneshot.hpp"

namespace weft::detail {

bool oneshot_state::settle(bool with_value) noexcept {
    std::uintptr_t now = with_value ? sent : sender_gone;
    std::uintptr_t before = word_.exchange(now, std::memory_order_acq_rel);  // O2 O3
    if (before == receiver_gone) return false;
    if (before != empty) reinterpret_cast<oneshot_receive*>(before)->wake_up();
    return true;
}

bool oneshot_state::begin_wait(oneshot_receive& waiter) noexcept {
    std::uintptr_t before = empty;
    return word_.compare_exchange_strong(before, reinterpret_cast<std::uintptr_t>(&waiter),
                                         std::memory_order_acq_rel,   // O3
                                         std::memory_order_acquire);  // O2
}

bool oneshot_state::unlink(oneshot_receive& waiter) noexcept {
    auto mine = reinterpret_cast<std::uintptr_t>(&waiter);
    return word_.compare_exchange_strong(mine, empty, std::memory_order_acq_rel,  // O1
                                         std::memory_order_acquire);              // O2
}

bool oneshot_state::abandon() noexcept {
    std::uintptr_t before = word_.exchange(receiver_gone, std::memory_order_acq_rel);  // O2
    WEFT_CHECK(before == empty || before == sent || before == sender_gone,
               "a oneshot receiver was destroyed while a task awaits it");
    return before == sent;
}

bool oneshot_receive::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    self.resume_point = caller;
    self.operation = this;
    if (!state_.begin_wait(*this)) {
        self_ = nullptr;  // settled in the meantime: no suspension
        return false;
    }
    return commit_suspend(self);
}

void oneshot_receive::end() {
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
    if (state_.has_value()) return;
    if (state_.is_closed()) throw channel_closed();
    throw usage_error("another task awaits this oneshot receiver; give each task its own");
}

life::cancel_outcome oneshot_receive::unlink() noexcept {
    if (unlinked_ || !state_.unlink(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason oneshot_receive::wait_reason() const noexcept {
    return trace::suspend_reason::channel_receive;
}

}  // namespace weft::detail
