// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of gather that does not depend on the results' types.
//
// Protocol: gather                          checked by: tests/stress/gather_stress_test.cpp
// Roles      awaiting task · finishers of the children · a canceller of the awaiting task
// Words      remaining: children not done, plus one while registering
//            resolved: the outcome is decided, by one finisher
//            waiter: the awaiting task while the await lasts; null while somebody looks at it
// Invariants G1 the awaiting task is woken once: by whoever sets `resolved`.
//            G2 the core lives until the last child was done and the await ended: reference count.
// Edges      G4 waiter's exchanges: a look is over before the await ends
//            G3 remaining and resolved are read-modify-writes: the children's outcomes
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "weft/task/create_task.hpp"

namespace weft::detail {

/// The children of one gather and what is known of them. On the heap: children may outlive it.
class gather_core {
public:
    enum class mode : std::uint8_t { first_error, settle };

    /// Throws std::bad_alloc.
    gather_core(mode how, std::vector<any_task> children);
    gather_core(const gather_core&) = delete;
    gather_core& operator=(const gather_core&) = delete;

    /// Registers with every child. True if that decided the outcome: nobody will wake `awaiting`.
    [[nodiscard]] bool begin(runnable& awaiting) noexcept;
    void drop() noexcept;
    /// The await ends: from here on the core names no awaiting task.
    void forget_waiter() noexcept;
    /// True if nothing had decided the outcome, and nothing will: nobody wakes `awaiting`.
    [[nodiscard]] bool give_up() noexcept { return resolve(nullptr); }
    [[nodiscard]] const std::vector<any_task>& children() const noexcept { return children_; }
    /// The child whose error decided the outcome, nullptr if none did.
    [[nodiscard]] task_state* failed() const noexcept { return failed_; }

private:
    struct member : completion_node {
        member() noexcept : completion_node(kind) {}
        static const completion_kind kind;
        static void on_done(completion_node& node) noexcept;
        gather_core* core = nullptr;
        task_state* task = nullptr;
    };
    /// True if this decided the outcome.
    bool child_done(task_state& child) noexcept;
    bool resolve(task_state* because) noexcept;
    [[nodiscard]] task_state* waiter() noexcept;

    mode mode_;
    std::vector<any_task> children_;
    std::unique_ptr<member[]> members_;
    runnable* awaiting_ = nullptr;
    real_environment::atomic<task_state*> waiter_{nullptr};
    task_state* failed_ = nullptr;
    real_environment::atomic<std::size_t> remaining_{0};
    real_environment::atomic<bool> resolved_{false};
    real_environment::atomic<std::size_t> references_{1};
};

/// The await of a gather, without the results' types.
class gather_operation : public forwarding_operation {
public:
    gather_operation(gather_core::mode how, std::vector<any_task> children);
    gather_operation(gather_operation&&) = delete;

    runnable* next_to_cancel(const reason_ref& why) noexcept override;
    [[nodiscard]] life::cancel_outcome outcome() noexcept override;
    /// The children stay registered; the last of them drops the core.
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    bool await_ready() const noexcept {
        WEFT_CHECK(self_ == nullptr, "a gather is awaited once");
        return core_->children().empty();
    }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }

protected:
    ~gather_operation() {
        core_->forget_waiter();
        core_->drop();
    }
    /// At the resumption: throws the deciding error, or `cancelled`.
    void end();
    [[nodiscard]] task_state& child(std::size_t i) const noexcept {
        return *task_access::state(core_->children()[i]);
    }
    [[nodiscard]] std::size_t size() const noexcept { return core_->children().size(); }

private:
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    [[nodiscard]] bool contains(const task_state* task) const noexcept;
    gather_core* core_;
    runnable* self_ = nullptr;
    std::size_t next_asked_ = 0;     // canceller-confined
    bool cancel_requested_ = false;  // canceller-confined; read once resumed
    bool awaits_itself_ = false;
};

}  // namespace weft::detail
