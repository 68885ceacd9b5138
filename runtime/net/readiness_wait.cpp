// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "net/readiness_wait.hpp"

#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

bool readiness_wait::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    const auto slot = socket_->slot_for(self, direction_);
    if (!slot) {
        error_ = slot.error();
        return false;
    }
    slot_ = *slot;
    self_ = &self;
    self.operation = this;
    self.resume_point = caller;
    switch (slot_->word(direction_).prepare(this)) {
        case io_prepare::waiting:
            return commit_suspend(self);
        case io_prepare::ready:
            break;
        case io_prepare::closed:
            // Else the slot was replaced since: try again, in the new one.
            if (socket_->is_closed()) {
                error_ = std::make_error_code(std::errc::operation_canceled);
            }
            break;
        case io_prepare::busy:
            WEFT_DCHECK(false, "the gate admits one operation a direction");
            error_ = std::make_error_code(std::errc::device_or_resource_busy);
            break;
    }
    self_ = nullptr;
    return false;
}

std::error_code readiness_wait::await_resume() {
    if (self_ == nullptr) return error_;
    if (must_deliver_cancel(*self_, *this)) {
        if (!was_unlinked()) {
            // The event was taken out of the word for this operation, which will not look at the
            // descriptor: readiness I2 says to give it back.
            io_waiter* next = slot_->word(direction_).mark_ready(false);
            if (next != nullptr) next->wake(next);
        }
        throw_cancelled(*self_);
    }
    if (socket_->is_closed()) return std::make_error_code(std::errc::operation_canceled);
    return {};
}

life::cancel_outcome readiness_wait::unlink() noexcept {
    if (!slot_->word(direction_).cancel(this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

void readiness_wait::on_event(io_waiter* waiter) noexcept {
    auto& self = static_cast<readiness_wait&>(*waiter);
    if (worker_port* here = this_worker()) {
        bool reads = self.direction_ == io_direction::read;
        trace::io_ready(here->trace, self.self_->owner->id(),
                        reads ? trace::io_operation::read : trace::io_operation::write,
                        reads ? 1 : 2);
    }
    detail::wake(*self.self_);
}

}  // namespace weft::detail
