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

/// What is not queued any more has been given its turn, and will be woken.
life::cancel_outcome group_member::unlink() noexcept {
    std::lock_guard guard{core_->mutex_};
    if (!std::exchange(is_queued_, false)) return life::cancel_outcome::lost;
    core_->list_as_asked_locked(*this);
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
    static_cast<void>(core_->begun_.name(to, true) && core_->asked_.name(to, true));
    return waits_on::any;
}

/// Under the lock of the group, without which none of them is done with its task.
bool group_list::name(wait_listener& to, bool only_with_turn) const noexcept {
    for (const group_member* m = first_; m != nullptr; m = m->after_) {
        if (only_with_turn && !m->has_turn_) continue;
        if (!to.hear_of_task(*m->task_)) return false;
    }
    return true;
}

void group_list::push_back(group_member& m) noexcept {
    m.list_ = this;
    m.before_ = last_;
    m.after_ = nullptr;
    (last_ == nullptr ? first_ : last_->after_) = &m;
    last_ = &m;
}

void group_list::remove(group_member& m) noexcept {
    (m.before_ == nullptr ? first_ : m.before_->after_) = m.after_;
    (m.after_ == nullptr ? last_ : m.after_->before_) = m.before_;
    m.list_ = nullptr;
}

// ---- children

void group_core::admit() {
    std::lock_guard guard{mutex_};
    if (has_ended_) {
        throw usage_error(
            "this task group has ended: add tasks before its body returns, or from its own tasks");
    }
    if (is_stopping_) {
        throw usage_error(
            "this task group is stopping, because of a failure or a cancellation: it takes no "
            "more tasks");
    }
    ++open_;
}

void group_core::retract() noexcept {
    runnable* owner = nullptr;
    {
        std::lock_guard guard{mutex_};
        owner = close_one_locked();
    }
    if (owner != nullptr) wake(*owner);
}

void group_core::add(group_member& m, task_state& child, start_wait* starter) noexcept {
    m.task_ = &child;
    m.starter_ = starter;
    static_cast<void>(child.add_completion(m));  // it has not begun
    bool comes_too_late = false;
    bool has_to_wait = false;
    {
        std::lock_guard guard{mutex_};
        comes_too_late = is_stopping_;
        has_to_wait = !comes_too_late && turns_taken_ == limit_;
        if (has_to_wait) {
            m.is_queued_ = true;
            child.operation = &m;
            queued_.push_back(m);
        } else if (comes_too_late) {
            asked_.push_back(m);
        } else {
            m.has_turn_ = true;
            ++turns_taken_;
            begun_.push_back(m);
        }
    }
    if (comes_too_late) request_cancel(child, why_);
    if (!has_to_wait || !waits_for_turn(m, child)) submit_new(child);
}

/// Suspends a child before its first step. False: its turn has come, or it was cancelled.
bool group_core::waits_for_turn(group_member& m, task_state& child) noexcept {
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

void group_core::submit_new(task_state& child) const noexcept {
    worker_port* const here = this_worker();
    if (here != nullptr && &here->runtime() == runtime_)
        here->submit_back(child);
    else
        runtime_->inject(child);
}

/// A child that had a turn is done: whose it is now, to be woken.
runnable* group_core::pass_turn_locked() noexcept {
    group_member* const next = is_stopping_ ? nullptr : queued_.front();
    if (next == nullptr) {
        --turns_taken_;
        return nullptr;
    }
    queued_.remove(*next);
    next->is_queued_ = false;
    next->has_turn_ = true;
    begun_.push_back(*next);
    return next->task_;
}

/// Something that kept the group open does not any more; returns the owner if it is to be woken.
runnable* group_core::close_one_locked() noexcept {
    if (--open_ != 0 || !std::exchange(is_waiting_, false)) return nullptr;
    has_ended_ = true;
    return owner_;
}

void group_core::child_done(group_member& m) noexcept {
    task_state& child = *m.task_;
    runnable* next = nullptr;
    runnable* starter = nullptr;
    runnable* owner = nullptr;
    bool stops = false;
    bool asks_body = false;
    bool is_kept = false;
    {
        std::lock_guard guard{mutex_};
        if (m.list_ != nullptr) m.list_->remove(m);
        if (m.has_turn_) next = pass_turn_locked();
        if (m.starter_ != nullptr) {
            starter = m.starter_->end_locked(child);
        } else if (child.outcome() == task_state::outcome_kind::error) {
            child.mark_observed();
            m.has_failed_ = true;
            if (!std::exchange(m.keeps_task_, true)) child.retain();
            stops = !std::exchange(is_stopping_, true);
            asks_body = stops && !is_leaving_;
            if (stops) {
                why_ = make_reason("a task of the group failed", std::source_location::current(),
                                   child.id());
            }
        }
        is_kept = m.keeps_task_;
        if (is_kept) ended_.push_back(m);
        if (!stops) owner = close_one_locked();
    }
    if (!is_kept) m.destroy();
    if (next != nullptr) wake(*next);
    if (starter != nullptr) wake(*starter);
    if (stops) stop(asks_body);
    if (owner != nullptr) wake(*owner);
}

// ---- stopping

void group_core::cancel(reason_ref why) noexcept {
    bool asks_body = false;
    {
        std::lock_guard guard{mutex_};
        if (has_ended_ || is_stopping_) return;
        is_stopping_ = true;
        asks_body = !is_leaving_;
        why_ = std::move(why);
        ++open_;
    }
    stop(asks_body);
}

/// By whoever has set `is_stopping_`, and keeps the group open until here.
void group_core::stop(bool asks_body) noexcept {
    while (task_state* child = take_unasked()) request_cancel(*child, why_);
    std::optional<std::uint32_t> request;
    if (asks_body) request = request_cancel_in_scope(*owner_, why_, trace::cancel_cause::scope);
    runnable* owner = nullptr;
    {
        std::lock_guard guard{mutex_};
        if (request) own_request_ = request;
        owner = close_one_locked();
    }
    if (owner != nullptr) wake(*owner);
}

void group_core::stop_because(const reason_ref& why) noexcept {
    std::lock_guard guard{mutex_};
    if (!std::exchange(is_stopping_, true)) why_ = why;
}

task_state* group_core::take_unasked() noexcept {
    std::lock_guard guard{mutex_};
    group_list& list = begun_.front() != nullptr ? begun_ : queued_;
    group_member* const m = list.front();
    if (m == nullptr) return nullptr;
    list_as_asked_locked(*m);
    m->keeps_task_ = true;
    m->task_->retain();
    return m->task_;
}

void group_core::list_as_asked_locked(group_member& m) noexcept {
    m.list_->remove(m);
    asked_.push_back(m);
}

void group_core::name_open(wait_listener& to) noexcept {
    std::lock_guard guard{mutex_};
    static_cast<void>(begun_.name(to, false) && queued_.name(to, false) && asked_.name(to, false));
}

// ---- the owner

void group_core::enter(runnable& owner) noexcept {
    owner_ = &owner;
    runtime_ = &owner.owner->runtime();
    seen_ = owner.lifecycle.seen_requests();
}

void group_core::leave(const std::exception_ptr& error) noexcept {
    bool stops = false;
    {
        std::lock_guard guard{mutex_};
        is_leaving_ = true;
        stops = error != nullptr && !std::exchange(is_stopping_, true);
        if (stops) {
            why_ = reason_of(error);
            ++open_;
        }
    }
    if (stops) stop(false);
}

bool group_core::begin_wait() noexcept {
    std::lock_guard guard{mutex_};
    has_ended_ = open_ == 0;
    is_waiting_ = has_waited_ = !has_ended_;
    return is_waiting_;
}

auto group_core::conclude(const std::exception_ptr& body_error) -> ending {
    life& word = owner_->lifecycle;
    const std::uint32_t asked =
        own_request_ ? word.withdraw(*own_request_, seen_) : word.cancelling();
    const bool is_cancelled = is_cancellation(body_error);
    std::vector<std::exception_ptr> errors = errors_with(is_cancelled ? nullptr : body_error);
    if (!errors.empty()) {
        if (asked > seen_)
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
    for (const group_member* m = ended_.front(); m != nullptr; m = m->after_) {
        if (m->has_failed_) errors.push_back(m->task_->error());
    }
    if (last != nullptr && std::ranges::find(errors, last) == errors.end()) errors.push_back(last);
    return errors;
}

void group_core::drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // U7
}

group_core::~group_core() {
    while (group_member* m = ended_.front()) {
        ended_.remove(*m);
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
    if (must_deliver_cancel(*runnable_, *this)) throw_cancelled(*runnable_);
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
