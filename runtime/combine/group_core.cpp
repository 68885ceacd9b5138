// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/group_core.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <source_location>

#include "task/requeue.hpp"
#include "weft/combine/group_start.hpp"
#include "weft/error.hpp"

namespace weft::detail {

namespace {

/// Why the children stop when the body ended with `error`.
reason_ref reason_of(const std::exception_ptr& error) noexcept {
    reason_ref why;
    const bool is_cancellation =
        visit_as<cancelled>(error, [&why](const cancelled& c) { why = c.shared_reason(); });
    if (is_cancellation) return why;
    return make_reason("the body of the task group failed", std::source_location::current());
}

}  // namespace

// ---- members

group_member* group_member::make(group_core& core) {
    return new (allocate_block(sizeof(group_member))) group_member(core);
}

void group_member::destroy() noexcept {
    std::destroy_at(this);
    free_block(this, sizeof(group_member));
}

constinit const completion_kind group_member::on_done{
    .notify =
        [](completion_node& node) noexcept {
            auto& self = static_cast<group_member&>(node);
            self.core_->child_done(self);
        },
    .waiter =
        [](completion_node& node) noexcept {
            // A child of the group keeps the owner, which waits for it sooner or later.
            task_state* const owner = static_cast<group_member&>(node).core_->owner_->owner;
            owner->retain();
            return owner;
        },
};

life::cancel_outcome group_member::unlink() noexcept {
    if (!core_->leave_queue(*this)) return life::cancel_outcome::lost;
    unlinked_ = true;
    return life::cancel_outcome::unlinked;
}

trace::suspend_reason group_member::wait_reason() const noexcept {
    return trace::suspend_reason::semaphore;
}

/// Any that has a turn may pass it on, until the group stops: then this one is asked to as well.
waits_on group_member::name_awaited(wait_listener& to) const noexcept {
    std::lock_guard guard{core_->mutex_};
    if (!is_queued_ || core_->is_stopping_) return waits_on::outside;
    static_cast<void>(core_->name_all(core_->begun_, to, true) &&
                      core_->name_all(core_->asked_, to, true));
    return waits_on::any;
}

void group_list::push_back(group_node& n) noexcept {
    n.list_ = this;
    n.before_ = last_;
    n.after_ = nullptr;
    (last_ == nullptr ? first_ : last_->after_) = &n;
    last_ = &n;
}

void group_list::remove(group_node& n) noexcept {
    (n.before_ == nullptr ? first_ : n.before_->after_) = n.after_;
    (n.after_ == nullptr ? last_ : n.after_->before_) = n.before_;
    n.list_ = nullptr;
}

// ---- children

void group_core::admit() {
    switch (try_admit()) {
        case admission::granted:
            return;
        case admission::ended:
            throw usage_error(
                "this task group has ended: add tasks before its body returns, or from its own "
                "tasks");
        case admission::stopping:
            throw usage_error(
                "this task group is stopping, because of a failure or a cancellation: it takes no "
                "more tasks");
    }
}

void group_core::add(group_member& m, task_state& child, start_wait* starter) noexcept {
    m.task_ = &child;
    m.starter_ = starter;
    static_cast<void>(child.add_completion(m));  // it has not begun
    const bool is_eager = m.is_eager_;
    switch (enter_child(m)) {
        case entrance::begins:
            break;
        case entrance::waits:
            if (waits_for_turn(m, child)) return;
            break;
        case entrance::comes_too_late:
            ask(m);
            break;
    }
    submit_new(child, is_eager);
}

/// Suspends a child before its first step. False: its turn has come, or it was cancelled.
bool group_core::waits_for_turn(group_member& m, task_state& child) noexcept {
    child.operation = &m;
    for (life::heed heeded = life::heed::all;;) {
        switch (child.lifecycle.try_suspend(heeded)) {
            case life::suspension::suspended:
                return true;
            case life::suspension::woken:
                return false;
            case life::suspension::cancel_pending:
                if (m.unlink() == life::cancel_outcome::unlinked) return false;
                heeded = life::heed::nothing;  // its turn comes, and the wake-up is on its way
        }
    }
}

void group_core::submit_new(task_state& child, bool is_eager) const noexcept {
    worker_port* const here = this_worker();
    if (here == nullptr || &here->runtime() != runtime_) return runtime_->inject(child);
    const bool starts_here = is_eager && !here->current.is_empty();
    starts_here ? here->start_here(child) : here->submit_back(child);
}

void group_core::child_done(group_member& m) noexcept {
    task_state& child = *m.task_;
    runnable* starter = nullptr;
    const auto fails = [&](bool is_first) {
        if (m.starter_ != nullptr) {
            starter = m.starter_->end_locked(child);
            return false;
        }
        if (child.outcome() != task_state::outcome_kind::error) return false;
        child.mark_observed();
        m.has_failed_ = true;
        if (is_first) {
            why_ = make_reason("a task of the group failed", std::source_location::current(),
                               child.id());
        }
        return true;
    };
    end_child(m, fails, [&](group_node* next, bool is_kept) {
        if (!is_kept) m.destroy();
        if (next != nullptr) wake(*task_of(*next));
        if (starter != nullptr) wake(*starter);
    });
}

// ---- stopping

void group_core::cancel(reason_ref why) noexcept {
    stop([&] { why_ = std::move(why); });
}

void group_core::stop_because(const reason_ref& why) noexcept {
    note_stop([&] { why_ = why; });
}

task_state* group_core::take_unasked() noexcept {
    group_node* const n = group_state::take_unasked();
    return n == nullptr ? nullptr : task_of(*n);
}

task_state* group_core::task_of(group_node& n) noexcept {
    return static_cast<group_member&>(n).task_;
}

void group_core::keep(group_node& n) noexcept { task_of(n)->retain(); }

void group_core::ask(group_node& n) noexcept { request_cancel(*task_of(n), why_); }

void group_core::ask_body() noexcept {
    own_request_ = request_cancel_in_scope(*owner_, why_, trace::cancel_cause::scope);
}

void group_core::wake_owner() noexcept { wake(*owner_); }

/// The tasks of those that have a turn, or of all. Under the lock of the group, without which none
/// of them is done with its task. False: it has heard enough.
bool group_core::name_all(const group_list& children, wait_listener& to,
                          bool only_with_turn) noexcept {
    for (const group_node* n = children.front(); n != nullptr; n = n->after_) {
        if (only_with_turn && !n->has_turn_) continue;
        if (!to.hear_of_task(*static_cast<const group_member*>(n)->task_)) return false;
    }
    return true;
}

void group_core::name_open(wait_listener& to) noexcept {
    std::lock_guard guard{mutex_};
    static_cast<void>(name_all(begun_, to, false) && name_all(queued_, to, false) &&
                      name_all(asked_, to, false));
}

// ---- the owner

void group_core::enter(runnable& owner) noexcept {
    owner_ = &owner;
    runtime_ = &owner.owner->runtime();
    seen_ = owner.lifecycle.seen_requests();
}

void group_core::leave(const std::exception_ptr& error) noexcept {
    group_state::leave();
    if (error != nullptr) stop([&] { why_ = reason_of(error); });
}

auto group_core::conclude(const std::exception_ptr& body_error) -> ending {
    life& word = owner_->lifecycle;
    const std::uint32_t asked =
        own_request_ ? word.withdraw(*own_request_, seen_) : word.cancelling();
    const bool is_cancelled = is_cancellation(body_error);
    std::vector<std::exception_ptr> errors = errors_with(is_cancelled ? nullptr : body_error);
    if (!errors.empty()) {
        // What came during the wait was felt by the children: so it was delivered, as a scope
        // around the group can tell.
        if (asked > seen_ && has_waited_ && word.take_requests())
            deliver_again(*owner_, owner_->reason.take());
        else if (asked > seen_)
            deliver_again(*owner_, is_cancelled ? reason_of(body_error) : reason_ref{});
        throw exception_group("unhandled errors in a task group", std::move(errors));
    }
    if (is_cancelled && own_request_ && asked <= seen_) return ending::stopped;
    if ((is_cancelled || has_waited_) && word.take_requests()) throw_cancelled(*owner_);
    if (is_cancelled) std::rethrow_exception(body_error);
    return ending::value;
}

/// The children's in the order in which they ended, then the body's. An error that the body got
/// from a child is listed once.
std::vector<std::exception_ptr> group_core::errors_with(const std::exception_ptr& last) const {
    std::vector<std::exception_ptr> errors;
    for (const group_node* n = ended_.front(); n != nullptr; n = n->after_) {
        const auto* const m = static_cast<const group_member*>(n);
        if (m->has_failed_) errors.push_back(m->task_->error());
    }
    if (last != nullptr && std::ranges::find(errors, last) == errors.end()) errors.push_back(last);
    return errors;
}

group_core::~group_core() {
    while (group_node* const n = ended_.front()) {
        ended_.remove(*n);
        auto* const m = static_cast<group_member*>(n);
        m->task_->drop();
        m->destroy();
    }
}

runnable* group_exit::next_to_cancel(const reason_ref& why) noexcept {
    core_->stop_because(why);
    return core_->take_unasked();
}

life::cancel_outcome group_exit::outcome() noexcept {
    static_cast<void>(forwarding_operation::outcome());
    return life::cancel_outcome::lost;
}

trace::suspend_reason group_exit::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on group_exit::name_awaited(wait_listener& to) const noexcept {
    core_->name_open(to);
    return waits_on::all;
}

bool group_exit::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    self.resume_point = caller;
    self.operation = this;
    if (!core_->begin_wait()) {
        return !self.worker->spend_ready_await() && gives_way(self, caller);
    }
    return commit_suspend(self);
}

// ---- start

start_wait::~start_wait() {
    if (asked_ != nullptr) asked_->drop();
    if (ended_ != nullptr) ended_->drop();
}

runnable* start_wait::next_to_cancel(const reason_ref& /*why*/) noexcept {
    std::lock_guard guard{core_->mutex_};
    if (is_over_ || asked_ != nullptr || member_->list_ == &core_->asked_) return nullptr;
    core_->list_as_asked_locked(*member_);
    asked_ = member_->task_;
    asked_->retain();
    return asked_;
}

void start_wait::note_answer(bool accepted) noexcept {
    {
        std::lock_guard guard{core_->mutex_};
        is_told_ = true;
    }
    forwarding_operation::note_answer(accepted);
}

trace::suspend_reason start_wait::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

/// The child, or whatever that awaits, may report while some of it waits.
waits_on start_wait::name_awaited(wait_listener& to) const noexcept {
    std::lock_guard guard{core_->mutex_};
    if (!is_over_) static_cast<void>(to.hear_of_task(*member_->task_));
    return waits_on::outside;
}

/// The child is done and has not reported.
runnable* start_wait::end_locked(task_state& child) noexcept {
    is_over_ = true;
    child.retain();
    ended_ = &child;
    return std::exchange(self_, nullptr);
}

void start_wait::report() noexcept {
    group_core& core = *core_;
    task_state& child = *member_->task_;
    runnable* waiting = nullptr;
    bool must_stop = false;
    {
        std::lock_guard guard{core.mutex_};
        is_over_ = true;
        member_->starter_ = nullptr;
        waiting = std::exchange(self_, nullptr);
        missed_ = asked_ != nullptr && (!is_told_ || child.lifecycle.pending_requests() != 0);
        // A child that was asked to stop on behalf of the starter, and declined, is the group's.
        must_stop = asked_ != nullptr && core.is_stopping_;
        if (asked_ != nullptr && !must_stop) {
            core.asked_.remove(*member_);
            core.begun_.push_back(*member_);
        }
    }
    if (must_stop) request_cancel(child, core.why_);
    if (waiting != nullptr) wake(*waiting);
}

bool start_wait::begin(runnable& self, std::coroutine_handle<> caller) noexcept {
    runnable_ = &self;
    self.resume_point = caller;
    self.operation = this;
    {
        std::lock_guard guard{core_->mutex_};
        if (is_over_) return false;
        self_ = &self;
    }
    return commit_suspend(self);
}

void start_wait::end() {
    if (must_deliver_cancel(*runnable_, *this) || missed_) throw_cancelled(*runnable_);
    if (ended_ == nullptr) return;
    if (ended_->outcome() == task_state::outcome_kind::value) {
        throw usage_error(ended_->name() +
                          " ended without a call of started(): start() waits for that; use "
                          "create_task for what has nothing to report");
    }
    ended_->mark_observed();
    std::rethrow_exception(ended_->error());
}

}  // namespace weft::detail
