// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of when_all that does not depend on the results' types. While nothing is stolen and no
// child suspends, the parent's worker, its home, runs the children one after the other, counts them
// in a plain field and goes on with the parent: no atomic read-modify-write, and the parent's
// suspension is not even published. Before the home turns to anything else it shares the join:
// publishes the suspension and what it has counted.
//
// Protocol: join                                  checked by: tests/stress/when_all_stress_test.cpp
// Roles      home (the parent's worker) · other workers that run children · a canceller
// Words      count: join_count.hpp · claims: who may write error_ and cancellation_, and whether
//            the children were asked to stop
// Fields     parent, children: immutable once a child was offered
// Invariants J1 the parent is resumed once, by whoever learns that no child is left.
//            J2 nodes and frames stay in place until then; a canceller walks them while it holds
//               the parent's busy bit, which keeps the parent from resuming.
//            J4 the joins that a home has not shared are those of the children that it is inside
//               of: it shares all of them before it suspends a child, and the enclosing ones before
//               it leaves one whose other children were taken. So a home in its loop has none.
// Edges      J3 of the count: every child's result
// Races      A request for a parent that is not published is counted as undelivered, and handed to
//            the children when the join is shared; a child that begins looks for it as well.
// Shutdown   ends when every child has ended; cancellation goes to each child.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <span>

#include "weft/combine/join_count.hpp"
#include "weft/task/coro.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

class join_scope;

/// A child: a runnable of its own, so that it may suspend and move to another worker.
struct fork_node : runnable {
    template <class T>
    fork_node(join_scope& scope, runnable& parent, coro<T>& child) noexcept;
    join_scope* join;

    [[nodiscard]] bool may_be_cancelled() const noexcept;
    [[nodiscard]] bool start(worker_port& here) noexcept;
    template <class T>
    static std::coroutine_handle<> finish(runnable& self, std::coroutine_handle<> frame) noexcept;
    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    static void detach(runnable& self) noexcept;
    template <class T>
    static constexpr runnable_ops kind{&finish<T>, &abandon, &detach};
};

/// What the await of children needs beside their results.
class join_scope : public forwarding_operation {
public:
    runnable* next_to_cancel() noexcept override;
    [[nodiscard]] life::cancel_outcome outcome() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;

protected:
    join_scope() noexcept = default;
    ~join_scope() = default;

    /// Offers all children but the first to thieves and returns the first to run.
    std::coroutine_handle<> begin(runnable& parent, std::coroutine_handle<> caller,
                                  std::span<fork_node> children) noexcept;
    /// At the parent's resumption: throws the first error, or `cancelled`.
    void end() {
        if (were_children_asked() || parent_->lifecycle.has_requests()) [[unlikely]]
            end_in_trouble();
    }

private:
    friend struct fork_node;
    void child_failed(const fork_node& child, const std::exception_ptr& error) noexcept;
    [[nodiscard]] bool share() noexcept;
    /// A child has ended on `here`: counts it and returns what to run next.
    static std::coroutine_handle<> child_done(join_scope& ended, worker_port& here) noexcept;
    static std::coroutine_handle<> go_on(worker_port& here, join_scope* counted,
                                         fork_node* next) noexcept;
    [[nodiscard]] std::coroutine_handle<> leave(worker_port& here, fork_node* next) noexcept;
    [[nodiscard]] std::coroutine_handle<> count_shared(worker_port& here) noexcept;
    void end_in_trouble();
    static fork_node* next_fork(worker_port& here) noexcept {
        return static_cast<fork_node*>(here.next_fork());
    }
    /// Whether a child failed or was asked to stop.
    [[nodiscard]] bool were_children_asked() const noexcept {
        return claims_.load(std::memory_order_relaxed) != 0;  // J3, or a hint
    }
    [[nodiscard]] std::coroutine_handle<> resume_parent(worker_port& here) noexcept {
        parent_->worker = &here;
        here.current = parent_;
        return transfer(*parent_, parent_->resume_point);
    }
    [[nodiscard]] std::coroutine_handle<> wake_parent(worker_port& here) noexcept;

    enum claim : unsigned char { error_claimed = 1, cancellation_claimed = 2, children_asked = 4 };
    runnable* parent_ = nullptr;
    std::span<fork_node> children_;
    std::size_t next_asked_ = 0;  // canceller-confined
    join_count<real_environment> count_;
    real_environment::atomic<unsigned char> claims_{0};
    bool cancel_requested_ = false;  // canceller-confined; the parent reads it once resumed
    std::exception_ptr error_;
    std::exception_ptr cancellation_;
};

// ---------------------------------------------------------------------------------------------

// A child that has not begun is asked through its join only, which notes that.
inline bool fork_node::may_be_cancelled() const noexcept {
    return owner->lifecycle.has_requests() || join->were_children_asked();
}

inline std::coroutine_handle<> join_scope::begin(runnable& parent, std::coroutine_handle<> caller,
                                                 std::span<fork_node> children) noexcept {
    worker_port& here = *parent.worker;
    parent_ = &parent;
    children_ = children;
    count_.begin(&here, children.size());
    parent.resume_point = caller;
    parent.operation = this;
    for (std::size_t i = children.size(); i-- > 1;) here.fork(children[i]);
    if (children[0].may_be_cancelled()) [[unlikely]]
        return go_on(here, nullptr, &children[0]);
    here.current = &children[0];
    return transfer(children[0], children[0].resume_point);
}

inline std::coroutine_handle<> join_scope::child_done(join_scope& ended,
                                                      worker_port& here) noexcept {
    if (!ended.count_.is_local(&here)) [[unlikely]] {
        std::coroutine_handle<> parent = ended.count_shared(here);
        return parent ? parent : go_on(here, nullptr, next_fork(here));
    }
    if (ended.count_.count_local()) return ended.resume_parent(here);
    fork_node* next = next_fork(here);
    if (next == nullptr || next->join != &ended || next->may_be_cancelled()) [[unlikely]]
        return go_on(here, &ended, next);
    here.current = next;
    return transfer(*next, next->resume_point);
}

template <class T>
fork_node::fork_node(join_scope& scope, runnable& parent, coro<T>& child) noexcept
    : runnable(kind<T>, parent.worker, parent.owner), join(&scope) {
    runs = 1;  // what its home will have made of it; a thief starts from 0
    WEFT_CHECK(child.valid(), "when_all was given a coro that was awaited or moved from");
    coro_access::promise(child).enter(*this, nullptr);
    resume_point = coro_access::handle(child);
}

template <class T>
std::coroutine_handle<> fork_node::finish(runnable& self, std::coroutine_handle<> frame) noexcept {
    auto& node = static_cast<fork_node&>(self);
    auto typed = std::coroutine_handle<coro_promise<T>>::from_address(frame.address());
    auto& result = typed.promise().result;
    if (result.has_error()) [[unlikely]]
        node.join->child_failed(node, result.error());
    return join_scope::child_done(*node.join, *node.worker);
}

}  // namespace weft::detail
