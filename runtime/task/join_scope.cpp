// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/join_scope.hpp"

#include <memory>

#include "weft/error.hpp"

namespace weft::detail {

constexpr runnable_ops fork_node::kind{nullptr, &fork_node::abandon, nullptr};

/// Home: `next` begins in `self`'s place if it is a child of this join and nothing speaks against
/// that.
inline std::coroutine_handle<> join_scope::run_next(runnable& self, promise_base& next) noexcept {
    if (!next.is_child_of(*this) || has(any) || self.lifecycle.has_requests()) [[unlikely]]
        return leave(self, &next);
    running_ = &next.in_place();
    next.run_in(self);
    return transfer(self, next.handle());
}

/// Home or not: counts the child and returns what to run next.
std::coroutine_handle<> child_done(join_scope& join, runnable& self) noexcept {
    worker_port& here = *self.worker;
    if (here.local_join != &join) [[unlikely]] {
        here.current.clear();  // the last child's end may free it
        std::coroutine_handle<> parent = join.count_shared(here);
        return parent ? parent : join_scope::go_on(here, here.next_fork());
    }
    if (join.count_.count_local()) {
        here.local_join = join.outer_;
        return transfer(self, join.caller_->handle());
    }
    promise_base* next = here.pop_fork();
    return next != nullptr ? join.run_next(self, *next) : join.end_of_burst(self);
}

/// Home: what is asked of whoever awaits the task is for the task from now on. If that was asked to
/// stop before the `first` child began, none is to begin here.
std::coroutine_handle<> join_scope::begin_slowly(runnable& self, promise_base& first,
                                                 bool calls) noexcept {
    worker_port& here = *self.worker;
    publish_direct_await(here);
    if (!self.lifecycle.has_requests()) {
        const std::coroutine_handle<> next = transfer(self, first.handle());
        return calls ? here.announce_forks(next) : next;
    }
    first.enter(running_, *this);
    if (!here.try_fork(first)) here.fork_into_wider(first);
    return here.announce_forks(leave(self, here.next_fork()));
}

/// Home: its children were taken, or it is time to look around.
std::coroutine_handle<> join_scope::end_of_burst(runnable& self) noexcept {
    promise_base* next = self.worker->next_fork();
    return next != nullptr ? run_next(self, *next) : leave(self, nullptr);
}

/// Home: a child in `self`'s place has ended, and `next`, which may be null, is not to run there.
/// Shares the join and those around it. If the other children have ended already, `next` waits and
/// the parent goes on.
std::coroutine_handle<> join_scope::leave(runnable& self, promise_base* next) noexcept {
    worker_port& here = *self.worker;
    here.current.clear();  // once shared, others may end the join and what waits for it
    if (!share_all(self, nullptr)) return go_on(here, next);
    std::coroutine_handle<> parent = wake_parent(here);
    if (!parent) return go_on(here, next);
    if (next == nullptr) return parent;
    if (!here.try_fork(*next)) here.fork_into_wider(*next);
    return here.announce_forks(parent);
}

/// What to run on `here`: `next`, if it is not null and begins. A loop, because any number of
/// children may be cancelled before they begin. One of another priority is for the worker's loop.
std::coroutine_handle<> join_scope::go_on(worker_port& here, promise_base* next) noexcept {
    for (; next != nullptr; next = here.next_fork()) {
        if (next->join()->parent()->owner->priority() != here.running_at()) [[unlikely]] {
            if (!here.try_fork(*next)) here.fork_into_wider(*next);
            return here.announce_forks(std::noop_coroutine());
        }
        auto& node = static_cast<fork_node&>(make_runnable(*next, here));
        here.current.set(node);
        node.runs = 1;
        if (!node.lifecycle.has_requests()) return transfer(node, node.resume_point);
        join_scope& join = *node.join;
        child_failed(join, node, std::make_exception_ptr(cancelled{node.reason.take()}));
        here.current.clear();
        if (std::coroutine_handle<> parent = join.count_shared(here)) return parent;
    }
    return std::noop_coroutine();
}

runnable& make_runnable(promise_base& child, worker_port& here) noexcept {
    join_scope& join = *child.join();
    auto* place = static_cast<fork_node*>(&child.in_place());
    fork_node& node = *std::construct_at(place, join, here, *join.parent()->owner);
    node.resume_point = child.handle();
    child.run_in(node);
    join.enlist(node);
    return node;
}

/// The child that the home is inside of becomes a runnable: every coroutine of it, from `innermost`
/// up to the one that the join began, belongs to the node from now on.
fork_node& join_scope::give_node(promise_base& innermost, worker_port& here) noexcept {
    auto* place = static_cast<fork_node*>(running_);
    fork_node& node = *std::construct_at(place, *this, here, *parent()->owner);
    node.runs = 1;
    for (promise_base* frame = &innermost; frame != nullptr; frame = frame->caller()) {
        frame->run_in(node);
    }
    enlist(node);
    return node;
}

void join_scope::enlist(fork_node& node) noexcept {
    const unsigned marks = children_.add(node);  // J5
    if ((marks & parent_cancelled) != 0)
        request_cancel(node, asked_because_);
    else if ((marks & sibling_failed) != 0)
        node.hear_of_a_failure();
}

/// By whoever comes first: a second request would interrupt its clean-up.
void fork_node::hear_of_a_failure() noexcept {
    if (heard_.exchange(true, std::memory_order_relaxed)) return;  // once: no edge
    request_cancel(*this,
                   make_reason("a sibling failed", std::source_location::current(), owner->id()));
}

/// Home: `root` runs children in its place, down to the coroutine `running`; null: the innermost
/// child has just ended. Returns whether that was the innermost join's last.
bool join_scope::share_all(runnable& root, promise_base* running) noexcept {
    worker_port& here = *root.worker;
    join_scope* const innermost = here.local_join;
    if (running != nullptr) here.current.set(innermost->give_node(*running, here));
    for (join_scope* join = innermost; join != nullptr; join = join->outer_) {
        runnable* parent = &root;
        if (join->outer_ != nullptr) parent = &join->outer_->give_node(*join->caller_, here);
        join->parent_.store(parent, std::memory_order_release);  // J7
        parent->resume_point = join->caller_->handle();
        parent->operation = std::construct_at(&join->wait_, *join);
        join->children_.mark(shared);
    }
    here.local_join = nullptr;
    for (join_scope* join = innermost; join != nullptr; join = join->outer_) {
        const bool suspended = commit_fork(*join->parent());
        WEFT_DCHECK(suspended, "a parent was woken before its home had shared the join");
        static_cast<void>(suspended);
    }
    for (join_scope* join = innermost->outer_; join != nullptr; join = join->outer_) {
        const bool ended = join->count_.share();
        WEFT_DCHECK(!ended, "a join ended before a child of it did");
        static_cast<void>(ended);
    }
    return innermost->count_.share();
}

void promise_base::leave_parents_place() noexcept {
    WEFT_DCHECK(runnable_->worker == this_worker(), "a weft coroutine runs on no worker of weft");
    const bool ended = join_scope::share_all(*runnable_, this);
    WEFT_DCHECK(!ended, "a join ended before a child of it did");
    static_cast<void>(ended);
}

promise_base* promise_base::enclosing() const noexcept {
    return is_child() ? join()->caller_ : caller();
}

/// Not the home, or one that has shared: the parent's coroutine for the last child, null for the
/// others.
std::coroutine_handle<> join_scope::count_shared(worker_port& here) noexcept {
    return count_.count_shared() ? wake_parent(here) : nullptr;
}

/// After the last child: null if a canceller holds the parent, and will queue it.
std::coroutine_handle<> join_scope::wake_parent(worker_port& here) noexcept {
    runnable& resumed = *parent();
    if (resumed.lifecycle.wake() != life::wake_duty::enqueue) return nullptr;
    resumed.worker = &here;
    here.current.set(resumed);
    return transfer(resumed, resumed.resume_point);
}

void child_failed(join_scope& join, const runnable& self,
                  const std::exception_ptr& error) noexcept {
    using scope = join_scope;
    const bool cancellation = is_cancellation(error);
    const unsigned mine = cancellation ? scope::cancellation_claimed : scope::error_claimed;
    const unsigned before = join.children_.mark(mine | scope::sibling_failed);  // J3 J5
    if ((before & mine) == 0) {
        std::construct_at(cancellation ? &join.cancellation_ : &join.error_, error);
    }
    // Asked by the first failure or by the parent: a second time would interrupt their clean-up.
    if ((before & (scope::sibling_failed | scope::parent_cancelled)) != 0) return;
    for (fork_node* node = join.children_.first(); node != nullptr; node = node->next) {
        if (node != &self) node->hear_of_a_failure();
    }
}

std::coroutine_handle<> fork_node::abandon(runnable& self) noexcept {
    auto& node = static_cast<fork_node&>(self);
    // The frame stays, unstarted, until the parent's await ends and destroys it.
    child_failed(*node.join, node, std::make_exception_ptr(cancelled{node.reason.take()}));
    return child_done(*node.join, node);
}

runnable* join_scope::children_wait::next_to_cancel(const reason_ref& why) noexcept {
    if (!walking_) {
        walking_ = true;
        if (!join_.has(parent_cancelled)) {
            std::construct_at(&join_.asked_because_, why);
            join_.children_.mark(parent_cancelled);  // J5
        }
        next_ = join_.children_.first();
    }
    fork_node* asked = next_;
    if (asked != nullptr)
        next_ = asked->next;
    else
        walking_ = false;
    return asked;
}

life::cancel_outcome join_scope::children_wait::outcome() noexcept {
    cancel_requested = true;
    return life::cancel_outcome::forwarded;
}

trace::suspend_reason join_scope::children_wait::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

void join_scope::end_slowly() {
    // In the place of another join's parent, a request is for that parent's other children as well.
    runnable& self = caller_->current();
    const bool taken = self.lifecycle.take_requests();
    const bool requested = taken || (has(shared) && wait_.cancel_requested);
    if (has(error_claimed)) std::rethrow_exception(error_);
    if (has(cancellation_claimed)) std::rethrow_exception(cancellation_);
    if (requested) throw_cancelled(self);
}

void join_scope::destroy_shared() noexcept {
    if (has(error_claimed)) std::destroy_at(&error_);
    if (has(cancellation_claimed)) std::destroy_at(&cancellation_);
    if (has(parent_cancelled)) std::destroy_at(&asked_because_);
    for (fork_node* node = children_.first(); node != nullptr;) {
        fork_node* const next = node->next;
        std::destroy_at(node);
        node = next;
    }
    children_.clear();
}

}  // namespace weft::detail
