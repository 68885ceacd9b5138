// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaiting a task: directly, or by waiting for it.

#include "task/requeue.hpp"
#include "weft/error.hpp"
#include "weft/task/task.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

runnable* task_join::next_to_cancel(const reason_ref& /*why*/) noexcept {
    asked_ = !asked_;
    return asked_ ? target_ : nullptr;
}

life::cancel_outcome task_join::unlink() noexcept {
    if (!target_->remove_completion(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason task_join::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on task_join::name_awaited(wait_listener& to) const noexcept {
    static_cast<void>(to.hear_of_task(*target_));
    return waits_on::all;
}

std::coroutine_handle<> task_join::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    if (self.owner == target_) {
        awaits_itself_ = true;
        return transfer(self, caller);
    }
    if (target_->is_done() && self.worker->owes_a_turn()) {
        hold();  // its handle may go meanwhile
        give_way(self, caller);
        return std::noop_coroutine();
    }
    self_ = &self;
    self.resume_point = caller;
    self.operation = this;
    if (std::coroutine_handle<> body = begin_directly()) return body;
    hold();
    if (!target_->add_completion(*this) || !commit_suspend(self)) return transfer(self, caller);
    return std::noop_coroutine();
}

/// Null: it has to wait. Whoever is in the task's list already is told before this one.
inline std::coroutine_handle<> task_join::begin_directly() noexcept {
    worker_port& here = *self_->worker;
    publish_direct_await(here);
    if (target_->has_awaiters() || was_asked()) return nullptr;
    if (target_->goes_with_its_handles()) [[unlikely]]
        hold();  // this one counts, too
    return here.run_if_next(*target_, *this);
}

void publish(task_join& direct_await) noexcept { direct_await.publish(); }

void pass_requests_on(task_join& direct_await) noexcept {
    if (direct_await.was_asked()) direct_await.publish();
}

/// Its task runs here, so it is not done. What `current` shows stays, but a watchdog that looks
/// there must not come upon this await any more.
void task_join::publish() noexcept {
    runnable& self = *self_;
    worker_port& here = *self.worker;
    runnable* const running = here.current.get();
    here.current.end_direct();
    hold();
    static_cast<void>(target_->add_completion(*this));
    const bool suspended = commit_fork(self);
    WEFT_DCHECK(suspended, "an await was over before its task, which runs here");
    static_cast<void>(suspended);
    if (running != nullptr) here.current.set(*running);
}

void task_join::end() {
    if (awaits_itself_) {
        throw usage_error(target_->name() + " cannot await itself: it would wait for ever");
    }
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
}

const std::exception_ptr& task_join::failure() const noexcept {
    target_->mark_observed();
    return target_->ended_with;
}

constinit const completion_kind task_join::kind_{
    .notify = [](completion_node& node) noexcept { wake(*static_cast<task_join&>(node).self_); },
    // It waits until its node is told or removed: the runtime holds it until then.
    .waiter =
        [](completion_node& node) noexcept {
            task_state* awaiting = static_cast<task_join&>(node).self_->owner;
            awaiting->retain();
            return awaiting;
        },
    .rouse = [](completion_node& node) noexcept -> runnable* {
        runnable& self = *static_cast<task_join&>(node).self_;
        return self.lifecycle.wake() == life::wake_duty::enqueue ? &self : nullptr;
    },
};

}  // namespace weft::detail
