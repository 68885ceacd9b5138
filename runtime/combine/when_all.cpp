// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/when_all.hpp"

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

std::coroutine_handle<> join_scope::begin(runnable& parent, std::coroutine_handle<> caller,
                                          std::span<fork_node> children) noexcept {
    worker_port& worker = *parent.worker;
    parent_ = &parent;
    children_ = children;
    remaining_.store(children.size(), std::memory_order_relaxed);  // J3: not shared yet
    parent.resume_point = caller;
    parent.operation = this;
    // No child has begun, so nothing can wake the parent between here and the first child's end.
    bool suspended = commit_fork(parent);
    WEFT_DCHECK(suspended, "a parent was woken before its first child began");
    static_cast<void>(suspended);
    for (std::size_t i = children.size(); i-- > 1;) worker.fork(children[i]);
    return run_forks(worker, &children[0]);
}

void join_scope::end() {
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

std::coroutine_handle<> join_scope::child_done(worker_port& worker) noexcept {
    runnable& parent = *parent_;
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) {  // J3
        if (parent.lifecycle.wake() == life::wake_duty::enqueue) {
            parent.worker = &worker;
            worker.current = &parent;
            return transfer(parent, parent.resume_point);
        }
    }
    return nullptr;
}

std::coroutine_handle<> fork_node::abandon(runnable& self) noexcept {
    auto& node = static_cast<fork_node&>(self);
    // The frame stays, unstarted, until the parent's await ends and destroys it.
    node.join->child_failed(node, std::make_exception_ptr(cancelled{node.reason.take()}));
    return node.join->child_done(*node.worker);
}

std::coroutine_handle<> run_forks(worker_port& worker, runnable* child) noexcept {
    for (; child != nullptr; child = worker.next_fork()) {
        child->worker = &worker;
        worker.current = child;
        if (child->runs++ != 0 || !child->lifecycle.has_requests()) [[likely]] {
            return transfer(*child, child->resume_point);
        }
        std::coroutine_handle<> parent = child->ops->abandon(*child);
        if (parent) return parent;
    }
    return std::noop_coroutine();
}

}  // namespace weft::detail
