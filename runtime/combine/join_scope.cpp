// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/join_scope.hpp"

#include "weft/error.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

runnable* join_scope::next_to_cancel() noexcept {
    if (next_asked_ == 0) claims_.fetch_or(children_asked, std::memory_order_relaxed);  // no edge
    if (next_asked_ < children_.size()) return &children_[next_asked_++];
    next_asked_ = 0;
    return nullptr;
}

life::cancel_outcome join_scope::outcome() noexcept {
    cancel_requested_ = true;
    return life::cancel_outcome::forwarded;
}

trace::suspend_reason join_scope::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

void join_scope::end_in_trouble() {
    bool requested = must_deliver_cancel(*parent_, *this) || cancel_requested_;
    if (error_) std::rethrow_exception(error_);
    if (cancellation_) std::rethrow_exception(cancellation_);
    if (requested) throw_cancelled(*parent_);
}

void join_scope::child_failed(const fork_node& child, const std::exception_ptr& error) noexcept {
    bool cancellation = is_cancellation(error);
    auto mine = static_cast<unsigned char>(cancellation ? cancellation_claimed : error_claimed);
    unsigned char before = claims_.fetch_or(static_cast<unsigned char>(mine | children_asked),
                                            std::memory_order_relaxed);  // J3 publishes
    if ((before & mine) == 0) (cancellation ? cancellation_ : error_) = error;
    // Asked by the first failure or by the parent: a second time would interrupt their clean-up.
    if ((before & children_asked) != 0) return;
    reason_ref why = make_reason("a sibling failed", std::source_location::current());
    for (fork_node& sibling : children_) {
        if (&sibling != &child) request_cancel(sibling, why);
    }
}

/// What to run on `here`: `next`, if it is not null and begins. `counted`: a join that is not
/// shared and has just counted a child of its own; it is left unless `next` is of it too. A loop,
/// because any number of children may be cancelled before they begin.
std::coroutine_handle<> join_scope::go_on(worker_port& here, join_scope* counted,
                                          fork_node* next) noexcept {
    for (;; next = next_fork(here)) {
        if (counted != nullptr && (next == nullptr || next->join != counted)) {
            if (std::coroutine_handle<> parent = counted->leave(here, next)) return parent;
        }
        if (next == nullptr) return std::noop_coroutine();
        if (next->start(here)) return transfer(*next, next->resume_point);
        join_scope& ended = *next->join;
        counted = ended.count_.is_local(&here) ? &ended : nullptr;
        if (counted == nullptr) {
            if (std::coroutine_handle<> parent = ended.count_shared(here)) return parent;
        } else if (ended.count_.count_local()) {
            return ended.resume_parent(here);
        }
    }
}

/// Home: turns to `next`, which may be null, and shares the join; the other children were taken, or
/// wait their turn. If they have ended already, `next` waits and the parent goes on.
std::coroutine_handle<> join_scope::leave(worker_port& here, fork_node* next) noexcept {
    detach(*parent_);  // J4
    std::coroutine_handle<> parent = share() ? wake_parent(here) : nullptr;
    if (parent && next != nullptr) here.fork(*next);
    return parent;
}

/// The parent's coroutine for the last child, null for the others.
std::coroutine_handle<> join_scope::count_shared(worker_port& here) noexcept {
    return count_.count_shared() ? wake_parent(here) : nullptr;
}

/// Home: publishes the parent's suspension and the children counted so far. True: none is left.
bool join_scope::share() noexcept {
    const bool suspended = commit_fork(*parent_);
    WEFT_DCHECK(suspended, "a parent was woken before its home had shared the join");
    static_cast<void>(suspended);
    return count_.share();
}

/// After the last child: null if a canceller holds the parent, and will queue it.
std::coroutine_handle<> join_scope::wake_parent(worker_port& here) noexcept {
    return parent_->lifecycle.wake() == life::wake_duty::enqueue ? resume_parent(here) : nullptr;
}

/// To run on `here` next. False: it was cancelled before it began, which is its end.
bool fork_node::start(worker_port& here) noexcept {
    here.current = this;
    if (!may_be_cancelled()) return true;
    if (owner->lifecycle.has_requests()) detach(*this);  // hands them on, to this child too
    if (!lifecycle.has_requests()) return true;
    join->child_failed(*this, std::make_exception_ptr(cancelled{reason.take()}));
    return false;
}

std::coroutine_handle<> fork_node::abandon(runnable& self) noexcept {
    auto& node = static_cast<fork_node&>(self);
    // The frame stays, unstarted, until the parent's await ends and destroys it.
    node.join->child_failed(node, std::make_exception_ptr(cancelled{node.reason.take()}));
    return join_scope::child_done(*node.join, *node.worker);
}

/// Shares every join that this child's worker has kept to itself and that waits for it: J4.
void fork_node::detach(runnable& self) noexcept {
    worker_port& here = *self.worker;
    runnable* child = &self;
    while (child->ops->detach != nullptr) {
        join_scope& join = *static_cast<fork_node*>(child)->join;
        if (!join.count_.is_local(&here)) return;
        const bool ended = join.share();
        WEFT_DCHECK(!ended, "a join ended before a child of it did");
        static_cast<void>(ended);
        child = join.parent_;
    }
}

}  // namespace weft::detail
