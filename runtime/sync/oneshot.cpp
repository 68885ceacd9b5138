// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sync/oneshot.hpp"

#include "task/requeue.hpp"

namespace weft::detail {

bool settle(oneshot_state& state, bool with_value) noexcept {
    const auto [is_kept, to_wake] = state.settle(with_value);
    if (to_wake != nullptr) to_wake->wake_up();
    return is_kept;
}

bool oneshot_receive::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    self.resume_point = caller;
    self.operation = this;
    const auto result = state_.try_wait(*this);
    if (result == oneshot_state::wait_result::waits) return commit_suspend(self);
    self_ = nullptr;  // settled in the meantime: no suspension
    is_second_ = result == oneshot_state::wait_result::occupied;
    return gives_way(self, caller);
}

void oneshot_receive::end() {
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
    if (is_second_) {
        throw usage_error("another task awaits this oneshot receiver; give each task its own");
    }
    if (!state_.has_value()) throw channel_closed();
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
