// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/sleep.hpp"

#include <utility>

#include "task/requeue.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

bool sleep_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    WEFT_CHECK(self_ == nullptr, "a sleep is awaited by one task at a time");
    self_ = &self;
    unlinked_ = false;
    self.resume_point = caller;
    if (until_ == time_point::min() || until_ <= real_environment::now()) {
        requeue(self);
        return true;
    }
    self.operation = this;
    self.worker->arm(*this, until_);
    return commit_suspend(self);
}

runnable* sleep_operation::end() noexcept {
    runnable* const self = std::exchange(self_, nullptr);
    return must_deliver_cancel(*self, *this) ? self : nullptr;
}

life::cancel_outcome sleep_operation::unlink() noexcept {
    if (unlinked_ || !port->disarm(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason sleep_operation::wait_reason() const noexcept {
    return trace::suspend_reason::timer;
}

std::uint64_t sleep_operation::on_fire(timer_waiter& waiter) noexcept {
    runnable& self = *static_cast<sleep_operation&>(waiter).self_;
    std::uint64_t task = self.owner->id();  // read before the frame and the task may go
    wake(self);
    return task;
}

void yield_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    self.resume_point = caller;
    requeue(self);
}

}  // namespace weft::detail
