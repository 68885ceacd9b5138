// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/gather.hpp"

#include <algorithm>

#include "task/requeue.hpp"
#include "weft/error.hpp"

namespace weft {

namespace detail {

using outcome_kind = task_state::outcome_kind;

gather_core::gather_core(mode how, std::vector<any_task> children)
    : gather_state(children.empty()),
      mode_(how),
      children_(std::move(children)),
      members_(std::make_unique<member[]>(children_.size())) {}

void gather_core::drop() noexcept {
    if (references_.drop()) delete this;  // G2
}

bool gather_core::begin(runnable& awaiting) noexcept {
    awaiting_ = &awaiting;
    const std::size_t count = children_.size();
    references_.add(static_cast<std::uint32_t>(count));  // G2: one for each member
    return gather_state::begin(awaiting.owner, count, [this](std::size_t i) {
        member& m = members_[i];
        m.core = this;
        m.task = task_access::state(children_[i]);
        if (m.task->add_completion(m)) return false;
        const bool decided_here = child_done(*m.task);
        drop();
        return decided_here;
    });
}

void gather_core::withdraw() noexcept {
    for (std::size_t i = 0; i < children_.size(); ++i) {
        member& m = members_[i];
        if (m.task != nullptr && m.task->remove_completion(m)) drop();
    }
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
    gather_state::forget_waiter();
}

bool gather_core::contains(const task_state* task) const noexcept {
    return std::ranges::any_of(
        children_, [task](const any_task& child) { return task_access::state(child) == task; });
}

bool gather_core::is_decided_by(const task_state& done_child) const noexcept {
    switch (mode_) {
        case mode::first_error:
            return done_child.outcome() != outcome_kind::value;
        case mode::first_completed:
            return true;
        case mode::first_exception:
            return done_child.outcome() == outcome_kind::error;
        case mode::settle:
        case mode::all:
            break;
    }
    return false;
}

bool gather_core::is_over() const noexcept {
    bool all_done = true;
    for (const any_task& child : children_) {
        const task_state& state = *task_access::state(child);
        const bool done = state.is_done();
        if (done && is_decided_by(state)) return true;
        all_done = all_done && done;
    }
    return all_done;
}

/// Those that have ended and decide nothing are no alternative any more.
waits_on gather_core::name_children(wait_listener& to) const noexcept {
    const bool is_until_failure = mode_ == mode::first_exception;
    for (const any_task& child : children_) {
        const task_state& state = *task_access::state(child);
        if (is_until_failure && state.is_done() && !is_decided_by(state)) continue;
        if (!to.hear_of_task(state)) break;
    }
    if (is_until_failure) return waits_on::all_or_one_failed;
    return mode_ == mode::first_completed ? waits_on::any : waits_on::all;
}

bool gather_core::child_done(task_state& child) noexcept {
    const bool is_gather = mode_ == mode::first_error || mode_ == mode::settle;
    // Also if the await throws something else in the end.
    if (is_gather && child.outcome() != outcome_kind::value) child.mark_observed();
    task_state* const because = mode_ == mode::first_error ? &child : nullptr;
    return gather_state::child_done(is_decided_by(child), because);
}

bool gather_core::cancel(const reason_ref& why) noexcept {
    const auto ask = [&] {
        bool accepted = false;
        for (const any_task& child : children_) {
            accepted = request_cancel(*task_access::state(child), why) || accepted;
        }
        if (accepted) note_request(why);
        return accepted;
    };
    return ask_children(ask, [this] { wake(*awaiting_); });
}

void gather_core::note_request(const reason_ref& why) noexcept {
    reason_.put(why);
    note_asked();
}

reason_ref gather_core::reason() noexcept {
    reason_ref why = reason_.take();
    reason_.put_back(why);
    return why;
}

gather_operation::gather_operation(gather_core::mode how, std::vector<any_task> children)
    : core_(new gather_core(how, std::move(children))) {}

gather_operation::gather_operation(gather_operation&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)) {
    WEFT_CHECK(other.self_ == nullptr, "a gather is not moved any more once it was awaited");
}

runnable* gather_operation::next_to_cancel(const reason_ref& why) noexcept {
    why_ = why;
    if (next_asked_ < size()) return &child(next_asked_++);
    next_asked_ = 0;
    return nullptr;
}

life::cancel_outcome gather_operation::outcome() noexcept {
    life::cancel_outcome result = forwarding_operation::outcome();
    if (result == life::cancel_outcome::forwarded) core_->note_request(why_);
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
    return core_->name_children(to);
}

bool gather_operation::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self_ = &self;
    awaits_itself_ = core_->contains(self.owner);
    if (awaits_itself_) return false;
    self.resume_point = caller;
    self.operation = this;
    if (core_->begin(self)) {
        return !self.worker->spend_ready_await() && gives_way(self, caller);
    }
    waits_ = true;
    return commit_suspend(self);
}

void gather_operation::end() {
    if (self_ == nullptr) return;
    if (awaits_itself_) {
        throw usage_error(self_->owner->name() + " cannot await itself: it would wait for ever");
    }
    // Without a suspension no request is delivered here.
    if (waits_ && must_deliver_cancel(*self_, *this)) throw_cancelled(*self_);
    if (task_state* failed = core_->failed()) std::rethrow_exception(failed->error());
    if (core_->was_asked()) throw cancelled{core_->reason()};
}

}  // namespace detail

std::exception_ptr gather_handle::exception() const {
    if (!done()) {
        throw invalid_state_error("the gather is not done: it has no outcome yet; await it");
    }
    if (detail::task_state* failed = core_->failed()) return failed->error();
    return core_->was_asked() ? std::make_exception_ptr(cancelled{core_->reason()}) : nullptr;
}

bool gather_handle::cancel(std::string_view reason, std::source_location where) const {
    return core_->cancel(detail::make_reason(reason, where));
}

}  // namespace weft
