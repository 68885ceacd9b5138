// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of when_all that does not depend on the results' types.
//
// A child begins in its parent's place: its coroutines run in the parent's runnable, and nothing
// stands for it but its frame. The parent's worker, its home, runs the children one after the
// other, and goes on with the parent once its deque is as high as before: no count, no atomic
// read-modify-write, no second runnable, and the parent's suspension is not even published. A child
// becomes a runnable of its own, a fork_node, when somebody needs one: a thief that takes it, or
// its home before it suspends the child or turns to anything else. Then the home shares the join,
// and those around it: it gives each running child its node, publishes the parents' suspensions and
// what it has run.
//
// Protocol: join                                  checked by: tests/stress/when_all_stress_test.cpp
// Roles      home (the parent's worker) · other workers that run children · a canceller
// Words      balance: join_count.hpp · children: child_list.hpp, those that are runnables; its
//            marks say who may write error_ and cancellation_, who asked the children to stop, and
//            whether the join is shared · parent: its runnable; written by home until it shares
// Fields     caller, outer, last_node: home only, until it shares · wait: the canceller's, from the
//            sharing on · asked_because: first canceller, before its mark
// Invariants J1 the parent is resumed once, by whoever learns that no child is left.
//            J2 nodes and frames stay in place until then; a canceller walks them while it holds
//               the parent's busy bit, which keeps the parent from resuming.
//            J4 the joins that a home has not shared are those of the children that it is inside
//               of, listed by its local_join: it shares all of them before it suspends
//               a child or leaves one whose other children were taken. A home in its loop has none.
//            J5 a child that becomes a runnable is asked to stop if its join was: K1 of the list.
//            J6 a home's deque holds its joins' children, the innermost's last; thieves take from
//               the other end. So a child that it pops is of its innermost join.
// Edges      J3 of the count: every child's result
//            J7 parent store release → load acquire: the node that it became
// Races      A request for a parent that is not published is counted as undelivered, and handed to
//            the children when the join is shared; a home looks for one between two children.
//            While a home shares, no join of it can end: the innermost is shared last.
// Shutdown   ends when every child has ended; cancellation goes to each child.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "weft/task/child_list.hpp"
#include "weft/task/fork_node.hpp"
#include "weft/task/join_count.hpp"
#include "weft/task/promise.hpp"

namespace weft::detail {

/// What the await of children needs beside their results. What begin() sets is not initialised.
class join_scope {
public:
    join_scope(const join_scope&) = delete;
    join_scope& operator=(const join_scope&) = delete;

protected:
    /// `contenders`: so many children of which the first to end may decide(). 0: each one counts.
    explicit join_scope(unsigned contenders = 0) noexcept : children_(contenders * contender) {}
    ~join_scope() {}

    [[nodiscard]] bool begun() const noexcept { return caller_ != nullptr; }
    /// Offers all children but the first to thieves and returns the first to run.
    /// `children.first()` is its promise, `children.others(visit)` calls visit(i, promise) for the
    /// i-th, from the last to the second. `nodes`: uninitialised memory for as many.
    template <class Children>
    [[gnu::always_inline]] std::coroutine_handle<> begin(promise_base& caller, std::size_t count,
                                                         fork_node* nodes,
                                                         Children children) noexcept;
    /// At the parent's resumption: throws the first error, or `cancelled`. The nodes are no more.
    void end() {
        if (has(any) || parent()->lifecycle.has_requests()) [[unlikely]]
            return end_slowly();
        if (outer_ != nullptr && outer_->has(any)) [[unlikely]]  // whose parent's place this is in
            end_slowly();
    }
    /// `child`, which runs now, is the one that counts: the others are asked to stop.
    void decide(promise_base& child) noexcept;
    /// The same as end() after a child has decided: throws nothing. A request to the parent went to
    /// the children, and is undelivered again.
    void end_decided() noexcept;
    /// No child has: throws `cancelled` if the parent was asked to stop.
    void end_undecided();

private:
    friend struct fork_node;
    friend class promise_base;
    friend std::coroutine_handle<> child_done(join_scope& join, runnable& self) noexcept;
    friend std::coroutine_handle<> child_done_slowly(join_scope& join, runnable& self) noexcept;
    friend void child_failed(join_scope& join, const runnable& self,
                             const std::exception_ptr& error) noexcept;
    friend runnable& make_runnable(promise_base& child, worker_port& here) noexcept;

    enum mark : unsigned {
        error_claimed = 1,
        cancellation_claimed = 2,
        sibling_failed = 4,
        parent_cancelled = 8,
        shared = 16,
        decided = 32,
        any = 63,
        contender = 64  // times how many there are: the rest of the word, from the beginning
    };
    /// What the published parent waits on.
    class children_wait final : public forwarding_operation {
    public:
        explicit children_wait(join_scope& join) noexcept : join_(join) {}
        runnable* next_to_cancel(const reason_ref& why) noexcept override;
        [[nodiscard]] life::cancel_outcome outcome() noexcept override;
        [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
        waits_on name_awaited(wait_listener& to) const noexcept override;
        bool cancel_requested = false;  // canceller-confined; the parent reads it once resumed

    private:
        join_scope& join_;
        bool walking_ = false;  // canceller-confined, as is next_
        fork_node* next_ = nullptr;
    };

    /// Once the parent goes on, J3 orders it; until then it is a hint.
    [[nodiscard]] bool has(unsigned marks) const noexcept { return children_.has(marks); }
    [[nodiscard]] runnable* parent() const noexcept {
        return parent_.load(std::memory_order_acquire);  // J7: a node that the home made
    }
    void enlist(fork_node& node) noexcept;
    void stop_siblings(const runnable& self, unsigned before) noexcept;
    [[nodiscard]] fork_node& give_node(promise_base& innermost, std::int64_t open,
                                       worker_port& here) noexcept;
    static bool share_all(runnable& root, promise_base* running, bool holds_one) noexcept;
    template <class Children>
    [[gnu::noinline, gnu::cold]] std::coroutine_handle<> begin_in_wider(std::size_t count,
                                                                        Children children) noexcept;
    [[nodiscard]] std::coroutine_handle<> begin_first(worker_port& here, runnable& self,
                                                      promise_base& first, bool calls) noexcept;
    [[nodiscard]] std::coroutine_handle<> begin_slowly(runnable& self, promise_base& first,
                                                       bool calls) noexcept;
    /// Whether the next child may have to be stopped before it begins.
    [[nodiscard]] bool must_look(const runnable& self) const noexcept {
        return has(any) || self.lifecycle.has_requests();
    }
    [[nodiscard]] std::coroutine_handle<> end_of_home_child(runnable& self) noexcept;
    [[nodiscard]] std::coroutine_handle<> leave(runnable& self, promise_base* next) noexcept;
    static std::coroutine_handle<> go_on(worker_port& here, promise_base* next) noexcept;
    [[nodiscard]] std::coroutine_handle<> wake_parent(worker_port& here) noexcept;
    [[nodiscard]] std::coroutine_handle<> count_shared(worker_port& here) noexcept;
    void end_slowly();
    void destroy_shared() noexcept;
    struct destroys_shared;

    promise_base* caller_ = nullptr;  // the coroutine that awaits the children
    real_environment::atomic<runnable*> parent_;
    join_scope* outer_;     // the join whose child awaits this one in the same runnable
    fork_node* last_node_;  // where that of the last child goes
    join_count<real_environment> count_;
    child_list<real_environment, fork_node> children_;
    union {
        children_wait wait_;  // from the sharing on
    };
    union {
        std::exception_ptr error_;  // once claimed
    };
    union {
        std::exception_ptr cancellation_;  // once claimed
    };
    union {
        reason_ref asked_because_;  // once parent_cancelled
    };
};

// ---------------------------------------------------------------------------------------------

template <class Children>
inline std::coroutine_handle<> join_scope::begin(promise_base& caller, std::size_t count,
                                                 fork_node* nodes, Children children) noexcept {
    runnable& self = caller.in_place();
    worker_port& here = *self.worker;
    caller_ = &caller;
    parent_.store(&self, std::memory_order_relaxed);  // J7: the offer publishes it
    outer_ = here.local_join;
    last_node_ = nodes + (count - 1);
    here.local_join = this;
    promise_base& first = children.first();
    first.enter(&self, *this);
    const auto offer = [&] [[gnu::always_inline]] (std::int64_t height, auto put) noexcept {
        count_.begin(height);
        children.others([&] [[gnu::always_inline]] (std::size_t i, promise_base& child) noexcept {
            child.enter(nodes + i, *this);
            put(&child);
        });
    };
    if (count == 1) {
        count_.begin(here.fork_height());
        return begin_first(here, self, first, false);
    }
    const push_result offered = here.try_fork_all(count - 1, offer);
    if (offered == push_result::no_room) [[unlikely]]
        return begin_in_wider(count, children);
    return begin_first(here, self, first, offered == push_result::alone);
}

/// Home: the first child begins, now that the others are offered. Then a peer may be called.
inline std::coroutine_handle<> join_scope::begin_first(worker_port& here, runnable& self,
                                                       promise_base& first, bool calls) noexcept {
    const bool is_awaited_directly = outer_ == nullptr && here.current.direct() != nullptr;
    if (is_awaited_directly || self.lifecycle.has_requests()) [[unlikely]]
        return begin_slowly(self, first, calls);
    const std::coroutine_handle<> next = transfer(self, first.handle());
    return calls ? here.announce_forks(next) : next;
}

/// Home: the deque is full. Without memory it is as if thieves had taken all but the first.
template <class Children>
std::coroutine_handle<> join_scope::begin_in_wider(std::size_t count, Children children) noexcept {
    promise_base& first = children.first();
    runnable& self = first.in_place();
    worker_port& here = *self.worker;
    fork_node* const nodes = last_node_ - (count - 1);
    count_.begin(here.fork_height());
    const bool has_room = here.widen_forks(count - 1);
    children.others([&](std::size_t i, promise_base& child) noexcept {
        child.enter(nodes + i, *this);
        has_room ? here.fork(child) : here.give_away(child);
    });
    if (has_room) return begin_first(here, self, first, true);
    count_.note_kept_back(static_cast<std::ptrdiff_t>(count - 1));
    publish_direct_await(here);
    first.run_in(*nodes);
    return leave(self, &first);
}

/// The usual case: `self` is the home's, in whose place the child ran, and all children have ended,
/// or the next one is taken back and begins there.
inline std::coroutine_handle<> child_done(join_scope& join, runnable& self) noexcept {
    worker_port& here = *self.worker;
    if (here.local_join != &join) [[unlikely]]
        return child_done_slowly(join, self);
    const std::int64_t height = here.fork_height();
    if (join.count_.has_taken_all(height)) {
        here.local_join = join.outer_;
        return transfer(self, join.caller_->handle());
    }
    promise_base* next;
    if (join.must_look(self) || !here.try_next_fork(height, next)) [[unlikely]]
        return child_done_slowly(join, self);
    next->run_in(self);
    return transfer(self, next->handle());
}

}  // namespace weft::detail
