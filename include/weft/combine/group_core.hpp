// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of a task group that does not depend on the results' types. Shared by the coroutine that
// runs the group, which its owner awaits, and by the handles to the group.
//
// Protocol: task group                  checked by: tests/model/group_model.cpp,
//                                       tests/stress/task_group_stress_test.cpp
// Roles      group_state.hpp's
// Words      the group state, whose lock guards whatever is not named here · references_
// Fields     owner_, runtime_, seen_: written before the body begins
//            why_: before `is_stopping_`, not changed afterwards
//            own_request_: by whoever asks the body, before it closes
// States     group_state.hpp's
// Invariants U1 to U4, U6, U8: group_state.hpp's
//            U5 others' lifecycle words are touched, and user code runs, outside of the lock.
// Edges      H1 of reference_count.hpp: every use of the core is before its deletion
// Races      a child fails while the body ends: the request finds the owner waiting at the exit,
//            where it stays undelivered until conclude() withdraws it.
// Shutdown   a group is no more than its owner's: the runtime cancels that, and the children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "weft/combine/group_state.hpp"
#include "weft/task/reference_count.hpp"
#include "weft/task/task.hpp"

namespace weft::detail {

/// A child of a group, until it is done. While it has no turn it is what the child's task waits on.
class group_member final : public completion_node, public operation, public group_node {
public:
    explicit group_member(group_core& core) noexcept : completion_node(on_done), core_(&core) {}
    group_member(const group_member&) = delete;

    /// Cancelled before its turn.
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    /// Blocks of the pool.
    [[nodiscard]] static group_member* make(group_core& core);
    void destroy() noexcept;
    /// Before it is added: the child begins in there, if it need not wait for its turn.
    void start_eagerly() noexcept { is_eager_ = true; }

private:
    friend group_core;
    friend start_wait;
    static const completion_kind on_done;

    bool has_failed_ = false;  // and its error is the group's
    group_core* core_;
    task_state* task_ = nullptr;
    start_wait* starter_ = nullptr;  // who learns how it ends, instead of the group
    bool is_eager_ = false;
};

class group_core : private group_state<real_environment, group_core> {
public:
    enum class ending : std::uint8_t { value, stopped };

    /// `limit`: of children that have begun and are not done; 0: none.
    explicit group_core(std::size_t limit) noexcept : group_state(limit) {}
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;
    void retain() noexcept { references_.add(); }
    void drop() noexcept {
        if (references_.drop()) delete this;
    }
    [[nodiscard]] runtime_port& runtime() const noexcept { return *runtime_; }

    // Owner, in this order.
    void enter(runnable& owner) noexcept;
    /// The body has ended, with `error` if it is not null.
    void leave(const std::exception_ptr& error) noexcept;
    using group_state::begin_wait;
    /// After the wait: throws what the group throws. `stopped`: the body gave no value, and that is
    /// no error.
    [[nodiscard]] ending conclude(const std::exception_ptr& body_error);

    // Any thread.
    /// Keeps the group open until add() or retract(). Throws usage_error.
    void admit();
    void retract() noexcept { close_one(); }
    /// A new task, which is not queued yet: begins it, or has it wait for its turn. `starter` may
    /// be null.
    void add(group_member& m, task_state& child, start_wait* starter) noexcept;
    void cancel(reason_ref why) noexcept;

    // A canceller of the owner, while that waits.
    void stop_because(const reason_ref& why) noexcept;
    /// The next child that the group has not asked to stop; it keeps its task until the group ends.
    [[nodiscard]] task_state* take_unasked() noexcept;
    /// A looker that keeps it waiting. Names the children that are not done.
    void name_open(wait_listener& to) noexcept;

private:
    friend group_state;
    friend group_member;
    friend start_wait;

    ~group_core();
    // What the state asks for.
    [[nodiscard]] static task_state* task_of(group_node& n) noexcept;
    static void keep(group_node& n) noexcept;
    void ask(group_node& n) noexcept;
    void ask_body() noexcept;
    void wake_owner() noexcept;

    static bool name_all(const group_list& children, wait_listener& to,
                         bool only_with_turn) noexcept;

    void child_done(group_member& m) noexcept;
    void submit_new(task_state& child, bool is_eager) const noexcept;
    [[nodiscard]] static bool waits_for_turn(group_member& m, task_state& child) noexcept;
    [[nodiscard]] std::vector<std::exception_ptr> errors_with(const std::exception_ptr& last) const;

    runnable* owner_ = nullptr;
    runtime_port* runtime_ = nullptr;
    reason_ref why_;
    std::optional<std::uint32_t> own_request_;  // to the owner: its epoch
    std::uint32_t seen_ = 0;                    // requests that the owner saw before the group
    reference_count<real_environment> references_;
};

/// A reference to a core.
class group_ref {
public:
    explicit group_ref(std::size_t limit) : core_(new group_core(limit)) {}
    group_ref(const group_ref& other) noexcept : core_(other.core_) { core_->retain(); }
    group_ref& operator=(const group_ref& other) noexcept {
        other.core_->retain();
        std::exchange(core_, other.core_)->drop();
        return *this;
    }
    ~group_ref() { core_->drop(); }
    [[nodiscard]] group_core& operator*() const noexcept { return *core_; }
    [[nodiscard]] group_core* operator->() const noexcept { return core_; }

private:
    group_core* core_;
};

/// The owner's wait for the children. It cannot be shortened: a request to the owner stops the
/// children and stays undelivered until the group has ended.
class group_exit final : public forwarding_operation {
public:
    explicit group_exit(group_core& core) noexcept : core_(&core) {}
    group_exit(group_exit&&) = delete;

    bool await_ready() const noexcept { return false; }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    void await_resume() const noexcept {}

    runnable* next_to_cancel(const reason_ref& why) noexcept override;
    [[nodiscard]] life::cancel_outcome outcome() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

private:
    [[nodiscard]] bool begin(runnable& self, std::coroutine_handle<> caller) noexcept;
    group_core* core_;
};

}  // namespace weft::detail
