// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of when_all that does not depend on the results' types.
//
// A child begins in its parent's place: its coroutines run in the parent's runnable, and nothing
// stands for it but its frame. The parent's worker, its home, runs the children one after the
// other, counts them in a plain field and goes on with the parent: no atomic read-modify-write, no
// second runnable, and the parent's suspension is not even published. A child becomes a runnable of
// its own, a fork_node, when somebody needs one: a thief that takes it, or its home before it
// suspends the child or turns to anything else. Then the home shares the join, and those around it:
// it gives each running child its node, publishes the parents' suspensions and what it has counted.
//
// Protocol: join                                  checked by: tests/stress/when_all_stress_test.cpp
// Roles      home (the parent's worker) · other workers that run children · a canceller
// Words      balance: join_count.hpp · children: child_list.hpp, those that are runnables; its
//            marks say who may write error_ and cancellation_, who asked the children to stop, and
//            whether the join is shared · parent: its runnable; written by home until it shares
// Fields     caller, outer, running: home only, until it shares · wait: the canceller's, from the
//            sharing on · asked_because: first canceller, before its mark
// Invariants J1 the parent is resumed once, by whoever learns that no child is left.
//            J2 nodes and frames stay in place until then; a canceller walks them while it holds
//               the parent's busy bit, which keeps the parent from resuming.
//            J4 the joins that a home has not shared are those of the children that it is inside
//               of, listed by its local_join: it shares all of them before it suspends
//               a child or leaves one whose other children were taken. A home in its loop has none.
//            J5 a child that becomes a runnable is asked to stop if its join was: K1 of the list.
//            J6 a home's deque holds its joins' children, the innermost's last; thieves take from
//               the other end. So a child that it pops is of its innermost join, unless that has
//               none left there.
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
#include <exception>

#include "weft/task/child_list.hpp"
#include "weft/task/coro.hpp"
#include "weft/task/join_count.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

/// A child that is a runnable of its own, so that it may suspend and move to another worker.
struct fork_node final : runnable {
    fork_node(join_scope& scope, worker_port& here, task_state& enclosing) noexcept
        : runnable(kind, &here, &enclosing), join(&scope) {}
    void hear_of_a_failure() noexcept;

    join_scope* join;
    fork_node* next = nullptr;  // in the join's list

    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    static const runnable_ops kind;

private:
    real_environment::atomic<bool> heard_{false};
};

/// Makes a child that was taken from a queue of forks a runnable, which has not begun. Any worker.
[[nodiscard]] runnable& make_runnable(promise_base& child, worker_port& here) noexcept;

/// What the await of children needs beside their results.
class join_scope {
public:
    join_scope(const join_scope&) = delete;
    join_scope& operator=(const join_scope&) = delete;

protected:
    join_scope() noexcept {}
    ~join_scope() { clean_up(); }
    /// Once: the children have ended. Before the memory of their nodes goes.
    void clean_up() noexcept {
        if (has(any)) [[unlikely]]
            destroy_shared();
    }

    [[nodiscard]] bool begun() const noexcept { return caller_ != nullptr; }
    /// Offers all children but the first to thieves and returns the first to run.
    /// `children.first()` is its promise, `children.others(visit)` calls visit(i, promise) for the
    /// i-th, from the last to the second. `nodes`: uninitialised memory for as many.
    template <class Children>
    [[gnu::always_inline]] std::coroutine_handle<> begin(promise_base& caller, std::size_t count,
                                                         fork_node* nodes,
                                                         Children children) noexcept;
    /// At the parent's resumption: throws the first error, or `cancelled`.
    void end() {
        if (has(any) || parent()->lifecycle.has_requests()) [[unlikely]]
            return end_slowly();
        if (outer_ != nullptr && outer_->has(any)) [[unlikely]]  // whose parent's place this is in
            end_slowly();
    }

private:
    friend struct fork_node;
    friend class promise_base;
    friend std::coroutine_handle<> child_done(join_scope& join, runnable& self) noexcept;
    friend void child_failed(join_scope& join, const runnable& self,
                             const std::exception_ptr& error) noexcept;
    friend runnable& make_runnable(promise_base& child, worker_port& here) noexcept;

    enum mark : unsigned {
        error_claimed = 1,
        cancellation_claimed = 2,
        sibling_failed = 4,
        parent_cancelled = 8,
        shared = 16,
        any = ~0u
    };
    /// What the published parent waits on.
    class children_wait final : public forwarding_operation {
    public:
        explicit children_wait(join_scope& join) noexcept : join_(join) {}
        runnable* next_to_cancel(const reason_ref& why) noexcept override;
        [[nodiscard]] life::cancel_outcome outcome() noexcept override;
        [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
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
    [[nodiscard]] fork_node& give_node(promise_base& innermost, worker_port& here) noexcept;
    static bool share_all(runnable& root, promise_base* running) noexcept;
    template <class Children>
    [[gnu::noinline, gnu::cold]] std::coroutine_handle<> begin_in_wider(Children children) noexcept;
    [[nodiscard]] std::coroutine_handle<> begin_first(runnable& self, promise_base& first,
                                                      bool calls) noexcept;
    [[nodiscard]] std::coroutine_handle<> begin_slowly(runnable& self, promise_base& first,
                                                       bool calls) noexcept;
    [[nodiscard]] std::coroutine_handle<> run_next(runnable& self, promise_base& next) noexcept;
    [[nodiscard]] std::coroutine_handle<> end_of_burst(runnable& self) noexcept;
    [[nodiscard]] std::coroutine_handle<> leave(runnable& self, promise_base* next) noexcept;
    static std::coroutine_handle<> go_on(worker_port& here, promise_base* next) noexcept;
    [[nodiscard]] std::coroutine_handle<> wake_parent(worker_port& here) noexcept;
    [[nodiscard]] std::coroutine_handle<> count_shared(worker_port& here) noexcept;
    [[nodiscard]] bool share() noexcept;
    void end_slowly();
    void destroy_shared() noexcept;

    promise_base* caller_ = nullptr;  // the coroutine that awaits the children
    real_environment::atomic<runnable*> parent_{nullptr};
    join_scope* outer_ = nullptr;  // the join whose child awaits this one in the same runnable
    runnable* running_ = nullptr;  // where the node of the child that the home is inside of goes
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
    running_ = nodes;
    count_.begin(static_cast<std::ptrdiff_t>(count));
    here.local_join = this;
    promise_base& first = children.first();
    first.enter(&self, *this);
    bool calls = false;
    if (count > 1) {
        const push_result offered = here.try_fork_all(count - 1, [&](auto put) noexcept {
            children.others([&](std::size_t i, promise_base& child) noexcept {
                child.enter(nodes + i, *this);
                put(&child);
            });
        });
        if (offered == push_result::no_room) [[unlikely]]
            return begin_in_wider(children);
        calls = offered == push_result::alone;
    }
    return begin_first(self, first, calls);
}

/// Home: the first child begins, now that the others are offered. Then a peer may be called.
inline std::coroutine_handle<> join_scope::begin_first(runnable& self, promise_base& first,
                                                       bool calls) noexcept {
    worker_port& here = *self.worker;
    const bool is_awaited_directly = outer_ == nullptr && here.current.direct() != nullptr;
    if (is_awaited_directly || self.lifecycle.has_requests()) [[unlikely]]
        return begin_slowly(self, first, calls);
    const std::coroutine_handle<> next = transfer(self, first.handle());
    return calls ? here.announce_forks(next) : next;
}

/// Home: the same where the deque is full. Not inlined, so that begin() calls nothing on its way.
template <class Children>
std::coroutine_handle<> join_scope::begin_in_wider(Children children) noexcept {
    promise_base& first = children.first();
    runnable& self = first.in_place();
    worker_port& here = *self.worker;
    auto* const nodes = static_cast<fork_node*>(running_);
    children.others([&](std::size_t i, promise_base& child) noexcept {
        child.enter(nodes + i, *this);
        if (!here.try_fork(child)) here.fork_into_wider(child);
    });
    return begin_first(self, first, true);
}

}  // namespace weft::detail
