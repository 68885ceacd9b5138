// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all: structured fork-join. The children live inside the await: each is a coroutine frame
// plus a node in the parent's frame, no task and no allocation beside the frame. The parent's
// worker runs them itself, unless an idle worker takes one first.
//
// Protocol: join                                  checked by: tests/stress/when_all_stress_test.cpp
// Roles      parent's worker · the workers that run children · a canceller of the parent
// Words      remaining: children not done · claims: who may write error_ and cancellation_,
//            and whether the children were asked to stop
// Invariants J1 the parent is woken by whoever takes `remaining` to zero, once.
//            J2 nodes and frames stay in place until then; a canceller walks them while it holds
//               the parent's busy bit, which keeps the parent from resuming.
// Edges      J3 remaining decrement release → the last decrement acquire: every child's result
// Shutdown   ends when every child has ended; cancellation goes to each child.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/error.hpp"
#include "weft/task/coro.hpp"

namespace weft {

namespace detail {

/// void as a value, for tuples.
template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

class join_scope;

/// A child: a runnable of its own, so that it may suspend and move to another worker.
struct fork_node : runnable {
    template <class T>
    fork_node(join_scope& scope, runnable& parent, coro<T>& child) noexcept;
    join_scope* join;

    template <class T>
    static std::coroutine_handle<> finish(runnable& self, std::coroutine_handle<> frame) noexcept;
    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    template <class T>
    static constexpr runnable_ops kind{&finish<T>, &abandon};
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

    /// Suspends the parent, forks all children but the first and returns the first to run.
    std::coroutine_handle<> begin(runnable& parent, std::coroutine_handle<> caller,
                                  std::span<fork_node> children) noexcept;
    /// At the parent's resumption: throws the first error, or `cancelled`.
    void end();

private:
    friend struct fork_node;
    void child_failed(const fork_node& child, const std::exception_ptr& error) noexcept;
    /// Counts a child as done; the last one gets the parent's coroutine to run, the others null.
    std::coroutine_handle<> child_done(worker_port& worker) noexcept;

    enum claim : unsigned char { error_claimed = 1, cancellation_claimed = 2, children_asked = 4 };
    runnable* parent_ = nullptr;
    std::span<fork_node> children_;
    std::size_t next_asked_ = 0;  // canceller-confined
    real_environment::atomic<std::size_t> remaining_{0};
    real_environment::atomic<unsigned char> claims_{0};
    bool cancel_requested_ = false;  // canceller-confined; the parent reads it once resumed
    std::exception_ptr error_;
    std::exception_ptr cancellation_;
};

/// What a worker runs after a child: `child`, or else the next one that was forked. Ends those that
/// were cancelled before they began.
[[nodiscard]] std::coroutine_handle<> run_forks(worker_port& worker, runnable* child) noexcept;

template <class... Ts>
class when_all_pack final : private join_scope {
public:
    explicit when_all_pack(coro<Ts>... children) noexcept : coros_(std::move(children)...) {}
    when_all_pack(when_all_pack&&) = delete;
    ~when_all_pack() {
        if (begun_) std::destroy_n(nodes(), sizeof...(Ts));
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun_, "a when_all is awaited once");
        return sizeof...(Ts) == 0;
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& parent = caller.promise().current();
        join_scope& scope = *this;
        [[maybe_unused]] fork_node* next = nodes();
        std::apply(
            [&](coro<Ts>&... child) noexcept {
                (std::construct_at(next++, scope, parent, child), ...);
            },
            coros_);
        begun_ = true;
        return begin(parent, caller, {nodes(), sizeof...(Ts)});
    }
    std::tuple<value_or_monostate<Ts>...> await_resume() {
        if (begun_) end();
        return std::apply(
            [](coro<Ts>&... child) {
                return std::tuple<value_or_monostate<Ts>...>{take(child)...};
            },
            coros_);
    }

private:
    template <class T>
    static value_or_monostate<T> take(coro<T>& child) {
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(coro_access::promise(child).result.value());
    }
    fork_node* nodes() noexcept { return reinterpret_cast<fork_node*>(storage_); }

    std::tuple<coro<Ts>...> coros_;
    bool begun_ = false;
    alignas(
        fork_node) std::byte storage_[sizeof...(Ts) == 0 ? 1 : sizeof...(Ts) * sizeof(fork_node)];
};

template <class T>
class when_all_range final : private join_scope {
public:
    explicit when_all_range(std::vector<coro<T>> children) : coros_(std::move(children)) {
        if (coros_.empty()) return;
        storage_ = static_cast<fork_node*>(allocate_block(coros_.size() * sizeof(fork_node)));
    }
    when_all_range(when_all_range&&) = delete;
    ~when_all_range() {
        if (begun_) std::destroy_n(storage_, coros_.size());
        if (storage_ != nullptr) free_block(storage_, coros_.size() * sizeof(fork_node));
    }
    bool await_ready() const noexcept {
        WEFT_CHECK(!begun_, "a when_all is awaited once");
        return coros_.empty();
    }
    template <weft_promise Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        runnable& parent = caller.promise().current();
        join_scope& scope = *this;
        for (std::size_t i = 0; i < coros_.size(); ++i) {
            std::construct_at(storage_ + i, scope, parent, coros_[i]);
        }
        begun_ = true;
        return begin(parent, caller, {storage_, coros_.size()});
    }
    auto await_resume() {
        if (begun_) end();
        if constexpr (std::is_void_v<T>) {
            return;
        } else {
            std::vector<T> values;
            values.reserve(coros_.size());
            for (coro<T>& child : coros_) {
                values.push_back(std::move(coro_access::promise(child).result.value()));
            }
            return values;
        }
    }

private:
    std::vector<coro<T>> coros_;
    fork_node* storage_ = nullptr;
    bool begun_ = false;
};

}  // namespace detail

/// Runs the coroutines concurrently inside the current task and waits for all. Completes when every
/// child has ended; gives their values in argument order (std::monostate for void). The first
/// exception cancels the others, is thrown once all have ended, and wins over a cancellation; later
/// ones are dropped. Cancelling the task cancels each child; the await then throws `cancelled` even
/// if every child declined. A child's failure stops the others only if nothing else has yet: their
/// clean-up is not interrupted. The children may run on other workers and in any order.
template <class... Ts>
[[nodiscard]] detail::when_all_pack<Ts...> when_all(coro<Ts>... children) {
    return detail::when_all_pack<Ts...>{std::move(children)...};
}

/// The same for any number of one type: gives std::vector<T>, or nothing for void. Throws
/// std::bad_alloc before any child has begun.
template <class T>
[[nodiscard]] detail::when_all_range<T> when_all(std::vector<coro<T>> children) {
    return detail::when_all_range<T>{std::move(children)};
}

// ---------------------------------------------------------------------------------------------

namespace detail {

template <class T>
fork_node::fork_node(join_scope& scope, runnable& parent, coro<T>& child) noexcept
    : runnable(kind<T>, parent.worker, parent.owner), join(&scope) {
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
    worker_port& worker = *node.worker;
    std::coroutine_handle<> parent = node.join->child_done(worker);
    return parent ? parent : run_forks(worker, worker.next_fork());
}

}  // namespace detail

}  // namespace weft
