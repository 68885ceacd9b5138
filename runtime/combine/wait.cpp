// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/wait.hpp"

#include <stdexcept>

#include "task/requeue.hpp"
#include "weft/error.hpp"

namespace weft::detail {

namespace {

gather_core::mode mode_of(return_when when) {
    switch (when) {
        case return_when::all_completed:
            return gather_core::mode::all;
        case return_when::first_completed:
            return gather_core::mode::first_completed;
        case return_when::first_exception:
            return gather_core::mode::first_exception;
    }
    throw std::invalid_argument("weft: a wait returns when all, the first, or a failed task ended");
}

gather_core* make_core(std::vector<any_task> tasks, return_when when) {
    if (tasks.empty()) {
        throw std::invalid_argument("weft: a wait needs at least one task to wait for");
    }
    return new gather_core(mode_of(when), std::move(tasks));
}

}  // namespace

wait_operation::wait_operation(std::vector<any_task> tasks, wait_options options)
    : limited_operation(deadline_of(options.timeout)),
      core_(make_core(std::move(tasks), options.return_when)) {}

/// A wait that is over leaves nothing with tasks that may go on for long.
wait_operation::~wait_operation() {
    core_->withdraw();
    core_->forget_waiter();
    core_->drop();
}

life::cancel_outcome wait_operation::unlink() noexcept {
    if (!core_->give_up()) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason wait_operation::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on wait_operation::name_awaited(wait_listener& to) const noexcept {
    name_limit(to);
    return core_->name_children(to);
}

bool wait_operation::expire() noexcept {
    has_expired_ = core_->give_up();
    return has_expired_;
}

bool wait_operation::owes_a_turn() const noexcept {
    return self_ != nullptr && !has_expired_ && self_->worker->runtime().worker_count() == 1;
}

bool wait_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    awaits_itself_ = core_->contains(self.owner);
    if (awaits_itself_) return false;
    self.resume_point = caller;
    self.operation = this;
    if (core_->begin(self)) return gives_way(self, caller);
    self_ = &self;
    arm(self);
    return commit_suspend(self);
}

void wait_operation::end() {
    disarm();
    if (awaits_itself_) {
        throw usage_error(
            "a task cannot wait for itself: it would wait for ever; leave it out of the list");
    }
    if (self_ != nullptr && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
}

}  // namespace weft::detail
