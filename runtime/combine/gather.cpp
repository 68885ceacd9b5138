// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/gather.hpp"

#include <algorithm>

#include "task/requeue.hpp"
#include "weft/error.hpp"

namespace weft::detail {

gather_core::gather_core(mode how, std::vector<any_task> children)
    : mode_(how),
      children_(std::move(children)),
      members_(std::make_unique<member[]>(children_.size())) {}

void gather_core::drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // G2
}

bool gather_core::begin(runnable& awaiting) noexcept {
    awaiting_ = &awaiting;
    waiter_.store(awaiting.owner, std::memory_order_relaxed);  // G4: not shared yet
    std::size_t count = children_.size();
    remaining_.store(count + 1, std::memory_order_relaxed);   // G3: not shared yet
    references_.fetch_add(count, std::memory_order_relaxed);  // G2: one for each member
    bool decided = false;
    for (std::size_t i = 0; i < count; ++i) {
        member& m = members_[i];
        m.core = this;
        m.task = task_access::state(children_[i]);
        if (m.task->add_completion(m)) continue;
        decided = child_done(*m.task) || decided;
        drop();
    }
    bool last = remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // G3
    // Only a decision made here replaces the wake-up: another decider has called wake, which the
    // suspension that follows must find.
    return (last && resolve(nullptr)) || decided;
}

constinit const completion_kind gather_core::member::kind{
    .notify = &on_done,
    .waiter =
        [](completion_node& node) noexcept { return static_cast<member&>(node).core->waiter(); },
};

void gather_core::member::on_done(completion_node& node) noexcept {
    auto& self = static_cast<member&>(node);
    gather_core* core = self.core;
    if (core->child_done(*self.task)) wake(*core->awaiting_);
    core->drop();
}

void gather_core::forget_waiter() noexcept {
    if (awaiting_ == nullptr) return;  // the await never began
    while (waiter_.exchange(nullptr, std::memory_order_acq_rel) == nullptr) {  // G4
        real_environment::relax();  // somebody looks and will put it back
    }
}

/// One that finds another at it names nobody.
task_state* gather_core::waiter() noexcept {
    task_state* awaiting = waiter_.exchange(nullptr, std::memory_order_acq_rel);  // G4
    if (awaiting == nullptr) return nullptr;
    awaiting->retain();
    waiter_.store(awaiting, std::memory_order_release);  // G4
    return awaiting;
}

bool gather_core::child_done(task_state& child) noexcept {
    bool failed = child.outcome() != task_state::outcome_kind::value;
    if (failed) child.mark_observed();  // also if the await throws something else in the end
    bool decided = failed && mode_ == mode::first_error && resolve(&child);
    bool last = remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // G3
    return decided || (last && resolve(nullptr));
}

bool gather_core::resolve(task_state* because) noexcept {
    bool open = false;
    // `failed_` is written by the winner only, and read after the wake-up that follows.
    if (!resolved_.compare_exchange_strong(open, true, std::memory_order_acq_rel,  // G1 G3
                                           std::memory_order_acquire)) {           // G3
        return false;
    }
    failed_ = because;
    return true;
}

gather_operation::gather_operation(gather_core::mode how, std::vector<any_task> children)
    : core_(new gather_core(how, std::move(children))) {}

runnable* gather_operation::next_to_cancel(const reason_ref& /*why*/) noexcept {
    if (next_asked_ < size()) return &child(next_asked_++);
    next_asked_ = 0;
    return nullptr;
}

life::cancel_outcome gather_operation::outcome() noexcept {
    life::cancel_outcome result = forwarding_operation::outcome();
    if (result == life::cancel_outcome::forwarded) cancel_requested_ = true;
    return result;
}

life::cancel_outcome gather_operation::unlink() noexcept {
    if (!core_->give_up()) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason gather_operation::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on gather_operation::name_awaited(wait_listener& to) const noexcept {
    for (std::size_t i = 0; i < size() && to.hear_of_task(child(i)); ++i) {
    }
    return waits_on::all;
}

bool gather_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    awaits_itself_ = contains(self.owner);
    if (awaits_itself_) return false;
    self.resume_point = caller;
    self.operation = this;
    if (core_->begin(self)) {
        return !self.worker->spend_ready_await() && gives_way(self, caller);
    }
    return commit_suspend(self);
}

bool gather_operation::contains(const task_state* task) const noexcept {
    return std::ranges::any_of(core_->children(), [task](const any_task& child) {
        return task_access::state(child) == task;
    });
}

void gather_operation::end() {
    if (self_ == nullptr) return;
    if (awaits_itself_) {
        throw usage_error(self_->owner->name() + " cannot await itself: it would wait for ever");
    }
    if (must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
    if (task_state* failed = core_->failed()) std::rethrow_exception(failed->error());
    if (cancel_requested_) throw_cancelled(*self_);
}

}  // namespace weft::detail
