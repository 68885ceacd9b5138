// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/join_scope.hpp"

#include <memory>

#include "weft/error.hpp"
#include "weft/task/lifecycle_level.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

constexpr runnable_ops fork_node::kind{nullptr, &fork_node::abandon, nullptr};

/// What child_done does not do itself.
std::coroutine_handle<> child_done_slowly(join_scope& join, runnable& self) noexcept {
    worker_port& here = *self.worker;
    if (here.local_join == &join) return join.end_of_home_child(self);
    here.current.clear();  // the last child's end may free it
    std::coroutine_handle<> parent = join.count_shared(here);
    return parent ? parent : join_scope::go_on(here, here.next_fork());
}

/// Home: thieves may have been at its children, one may have failed, the task may be asked to stop,
/// or it is time for other work.
std::coroutine_handle<> join_scope::end_of_home_child(runnable& self) noexcept {
    worker_port& here = *self.worker;
    const std::int64_t height = here.fork_height();
    if (count_.open(height) == 0) {
        if (outer_ != nullptr) count_.pass_claims_to(outer_->count_);
        here.local_join = outer_;
        return transfer(self, caller_->handle());
    }
    promise_base* const next = here.next_fork();
    if (next == nullptr) return leave(self, nullptr);
    if (here.fork_height() == height) count_.note_claim(outer_ == nullptr);
    if (must_look(self)) return leave(self, next);
    next->run_in(self);
    return transfer(self, next->handle());
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
    first.run_in(*(last_node_ - count_.open(here.fork_height())));
    return here.announce_forks(leave(self, &first));
}

/// Home: a child in `self`'s place has ended, and `next`, the next one, which may be null, is not
/// to run there. Shares the join and those around it.
std::coroutine_handle<> join_scope::leave(runnable& self, promise_base* next) noexcept {
    worker_port& here = *self.worker;
    here.current.clear();  // once shared, others may end the join and what waits for it
    const bool ended = share_all(self, nullptr, next != nullptr);
    std::coroutine_handle<> parent = ended ? wake_parent(here) : nullptr;
    return parent ? parent : go_on(here, next);
}

/// What to run on `here`: `next`, if it is not null and begins. A loop, because any number of
/// children may be cancelled before they begin. One of another priority is for the worker's loop.
std::coroutine_handle<> join_scope::go_on(worker_port& here, promise_base* next) noexcept {
    for (; next != nullptr; next = here.next_fork()) {
        if (next->join()->parent()->owner->priority() != here.running_at()) [[unlikely]] {
            here.fork(*next);
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

/// The child that the home is inside of, before `open` others, becomes a runnable: every coroutine
/// of it, from `innermost` up to the one that the join began, belongs to the node from now on.
fork_node& join_scope::give_node(promise_base& innermost, std::int64_t open,
                                 worker_port& here) noexcept {
    fork_node& node = *std::construct_at(last_node_ - open, *this, here, *parent()->owner);
    node.runs = 1;
    for (promise_base* frame = &innermost; frame != nullptr; frame = frame->caller()) {
        frame->run_in(node);
    }
    enlist(node);
    return node;
}

void join_scope::enlist(fork_node& node) noexcept {
    const unsigned marks = children_.add(node);  // J5
    if ((marks & parent_cancelled) != 0) {
        node.inherit_level();
        request_cancel(node, asked_because_);
    } else if ((marks & sibling_failed) != 0) {
        node.hear_of_a_failure();
    }
}

void fork_node::inherit_level() noexcept {
    using level = lifecycle_level<real_environment>;
    if (level::of(join->parent()->lifecycle) == 0) return;
    if (!inherited_.exchange(true, std::memory_order_relaxed)) level::raise(lifecycle);  // no edge
}

/// By whoever comes first: a second request would interrupt its clean-up.
void fork_node::hear_of_a_failure() noexcept {
    if (heard_.exchange(true, std::memory_order_relaxed)) return;  // once: no edge
    const char* const why =
        join->has(join_scope::decided) ? "a sibling was first" : "a sibling failed";
    request_cancel(*this, make_reason(why, std::source_location::current(), owner->id()));
}

/// Home: `root` runs children in its place, down to the coroutine `running`; null: the innermost
/// child has just ended, and whoever calls may hold the next one. Returns whether none of the
/// innermost join is left.
bool join_scope::share_all(runnable& root, promise_base* running, bool holds_one) noexcept {
    worker_port& here = *root.worker;
    join_scope* const innermost = here.local_join;
    const std::int64_t left = innermost->count_.open(here.fork_height());
    if (running != nullptr) here.current.set(innermost->give_node(*running, left, here));
    for (join_scope* join = innermost; join != nullptr; join = join->outer_) {
        runnable* parent = &root;
        if (join_scope* const outer = join->outer_; outer != nullptr)
            parent = &outer->give_node(*join->caller_, outer->count_.open(join->count_), here);
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
    for (join_scope* join = innermost; join->outer_ != nullptr; join = join->outer_) {
        auto& outer = join->outer_->count_;
        const bool ended = outer.share(outer.open(join->count_) + 1);
        WEFT_DCHECK(!ended, "a join ended before a child of it did");
        static_cast<void>(ended);
    }
    return innermost->count_.share(left + (running != nullptr || holds_one ? 1 : 0));
}

void promise_base::leave_parents_place() noexcept {
    WEFT_DCHECK(runnable_->worker == this_worker(), "a weft coroutine runs on no worker of weft");
    const bool ended = join_scope::share_all(*runnable_, this, false);
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
    static_cast<void>(resumed.count_run());  // it has not waited all the time: see look.hpp
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
    join.stop_siblings(self, before);
}

void join_scope::decide(promise_base& child) noexcept {
    stop_siblings(child.in_place(), children_.mark(sibling_failed | decided));  // J5
}

/// `self` has set the mark, which were these before.
void join_scope::stop_siblings(const runnable& self, unsigned before) noexcept {
    // Asked by the first failure or by the parent: a second time would interrupt their clean-up.
    if ((before & (sibling_failed | parent_cancelled)) != 0) return;
    for (fork_node* node = children_.first(); node != nullptr; node = node->next) {
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
        if (!join_.has(parent_cancelled)) std::construct_at(&join_.asked_because_, why);
        join_.children_.mark(parent_cancelled);  // J5, each time: a level has been raised
        next_ = join_.children_.first();
    }
    fork_node* asked = next_;
    if (asked != nullptr) {
        next_ = asked->next;
        asked->inherit_level();
    } else {
        walking_ = false;
    }
    return asked;
}

life::cancel_outcome join_scope::children_wait::outcome() noexcept {
    cancel_requested = true;
    return life::cancel_outcome::forwarded;
}

trace::suspend_reason join_scope::children_wait::wait_reason() const noexcept {
    return trace::suspend_reason::join;
}

waits_on join_scope::children_wait::name_awaited(wait_listener& to) const noexcept {
    std::size_t named = 0;
    for (fork_node* node = join_.children_.first(); node != nullptr; node = node->next) {
        if (!to.hear_of_child(*node)) break;
        ++named;
    }
    const std::size_t contenders = join_.children_.marks() / contender;
    if (contenders == 0 || join_.has(decided | parent_cancelled)) return waits_on::all;
    return named == contenders ? waits_on::any : waits_on::outside;
}

struct join_scope::destroys_shared {
    join_scope& join;
    ~destroys_shared() {
        if (join.has(any)) join.destroy_shared();
    }
};

void join_scope::end_slowly() {
    const destroys_shared at_the_end{*this};
    // In the place of another join's parent, a request is for that parent's other children as well.
    runnable& self = caller_->current();
    const bool taken = self.lifecycle.take_requests();
    const bool requested = taken || (has(shared) && wait_.cancel_requested);
    if (has(error_claimed)) std::rethrow_exception(error_);
    if (has(cancellation_claimed)) std::rethrow_exception(cancellation_);
    if (requested) throw_cancelled(self);
}

void join_scope::end_decided() noexcept {
    const destroys_shared at_the_end{*this};
    runnable& self = caller_->current();  // as in end_slowly()
    if (has(shared) && wait_.cancel_requested) deliver_again(self, asked_because_);
}

void join_scope::end_undecided() {
    const destroys_shared at_the_end{*this};
    runnable& self = caller_->current();
    const bool taken = self.lifecycle.take_requests();
    if (taken || (has(shared) && wait_.cancel_requested)) throw_cancelled(self);
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
