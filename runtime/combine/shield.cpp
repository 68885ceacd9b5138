// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/shield.hpp"

#include "task/requeue.hpp"
#include "weft/error.hpp"

namespace weft::detail {

shield_operation::shield_operation(shield_operation&& other) noexcept
    : completion_node(kind_), target_(std::move(other.target_)) {
    WEFT_CHECK(other.self_ == nullptr, "a shield is not moved any more once it was awaited");
}

life::cancel_outcome shield_operation::unlink() noexcept {
    if (!target().remove_completion(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason shield_operation::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on shield_operation::name_awaited(wait_listener& to) const noexcept {
    static_cast<void>(to.hear_of_task(target()));
    return waits_on::all;
}

bool shield_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    awaits_itself_ = self.owner == &target();
    if (awaits_itself_) return false;
    self_ = &self;
    self.resume_point = caller;
    self.operation = this;
    if (target().add_completion(*this)) return commit_suspend(self);
    self_ = nullptr;  // it is done: no suspension, so no request is delivered here
    return gives_way(self, caller);
}

void shield_operation::end() {
    if (awaits_itself_) {
        throw usage_error(target().name() + " cannot await itself: it would wait for ever");
    }
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
    target().throw_unless_value();
}

constinit const completion_kind shield_operation::kind_{
    .notify =
        [](completion_node& node) noexcept { wake(*static_cast<shield_operation&>(node).self_); },
    // It waits until its node is told or removed: the runtime holds it until then.
    .waiter =
        [](completion_node& node) noexcept {
            task_state* awaiting = static_cast<shield_operation&>(node).self_->owner;
            awaiting->retain();
            return awaiting;
        },
    .rouse = [](completion_node& node) noexcept -> runnable* {
        runnable& self = *static_cast<shield_operation&>(node).self_;
        return self.lifecycle.wake() == life::wake_duty::enqueue ? &self : nullptr;
    },
};

}  // namespace weft::detail
