// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of a task group that does not depend on the results' types. Shared by the coroutine that
// runs the group, which its owner awaits, and by the handles to the group.
//
// Protocol: task group                      checked by: tests/stress/task_group_stress_test.cpp
// Roles      owner (the runnable that runs the body, then waits) · creators, finishers of children,
//            cancellers of the group, of its owner and of its children (any thread)
// Words      mutex_: guards whatever is not named here · references_: handles and the owner
// Fields     owner_, runtime_, limit_, seen_: written before the body begins
//            why_: before stopping_, not changed afterwards
// States     body runs ──leave/owner──▶ leaving ──nothing open──▶ ended; and at any time before
//            that stopping: a child or the body failed, somebody cancelled the group, or its owner
// Invariants U1 `open_` counts the children that are not done and those who are about to add one,
//               or to ask others to stop. At zero a group that is being left has ended: nobody
//               touches the owner's runnable any more, or a child.
//            U2 admission and stopping are decided under the lock: what was admitted before is
//               asked to stop, nothing is admitted after. So `begun_` and `queued_` only shrink.
//            U3 a child is asked by the group once: by whoever puts it into the list of the asked.
//               A child that is not done is in one of three lists, and stays while it is.
//            U4 the body is asked once: by whoever sets `stopping_` while it runs.
//            U5 others' lifecycle words are touched, and user code runs, outside of the lock.
//            U6 the owner is woken once: by whoever takes `open_` to zero while it waits.
// Edges      U7 last drop: every use of the core is before its deletion
// Races      a child is admitted, then the group stops, then the child is added: it finds
//            `stopping_`, is asked by its creator, and never begins (U2).
//            a child fails while the body ends: the request finds the owner waiting at the exit,
//            where it stays undelivered until conclude() withdraws it.
// Shutdown   a group is no more than its owner's: the runtime cancels that, and the children.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "weft/task/task.hpp"

namespace weft::detail {

class group_core;
class group_list;
class start_wait;

/// A child of a group, until it is done. While it has no turn it is what the child's task waits on.
class group_member final : public completion_node, public operation {
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

private:
    friend group_core;
    friend group_list;
    friend start_wait;
    static const completion_kind on_done;

    group_core* core_;
    task_state* task_ = nullptr;
    group_list* list_ = nullptr;  // that it is in
    group_member* before_ = nullptr;
    group_member* after_ = nullptr;
    start_wait* starter_ = nullptr;  // who learns how it ends, instead of the group
    bool is_queued_ = false;         // it waits for its turn
    bool has_turn_ = false;          // it counts for the limit
    bool keeps_task_ = false;        // until the group has ended
    bool has_failed_ = false;        // and its error is the group's
};

/// Members in the order in which they came.
class group_list {
public:
    void push_back(group_member& m) noexcept;
    void remove(group_member& m) noexcept;
    [[nodiscard]] group_member* front() const noexcept { return first_; }
    /// Names the tasks of those that count for the limit, or of all. False: it has heard enough.
    bool name(wait_listener& to, bool only_with_turn) const noexcept;

private:
    group_member* first_ = nullptr;
    group_member* last_ = nullptr;
};

class group_core {
public:
    enum class ending : std::uint8_t { value, stopped };

    /// `limit`: of children that have begun and are not done; 0: none.
    explicit group_core(std::size_t limit) noexcept
        : limit_(limit == 0 ? static_cast<std::size_t>(-1) : limit) {}
    group_core(const group_core&) = delete;
    group_core& operator=(const group_core&) = delete;
    void retain() noexcept {
        references_.fetch_add(1, std::memory_order_relaxed);  // U7: needs a live holder only
    }
    void drop() noexcept;
    [[nodiscard]] runtime_port& runtime() const noexcept { return *runtime_; }

    // Owner, in this order.
    void enter(runnable& owner) noexcept;
    /// The body has ended, with `error` if it is not null.
    void leave(const std::exception_ptr& error) noexcept;
    /// True: `owner` waits, and will be woken. False: the group has ended.
    [[nodiscard]] bool begin_wait() noexcept;
    /// After the wait: throws what the group throws. `stopped`: the body gave no value, and that is
    /// no error.
    [[nodiscard]] ending conclude(const std::exception_ptr& body_error);

    // Any thread.
    /// Keeps the group open until add() or retract(). Throws usage_error.
    void admit();
    void retract() noexcept;
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
    friend group_member;
    friend start_wait;

    ~group_core();
    void child_done(group_member& m) noexcept;
    void stop(bool asks_body) noexcept;
    void submit_new(task_state& child) const noexcept;
    [[nodiscard]] static bool waits_for_turn(group_member& m, task_state& child) noexcept;
    [[nodiscard]] runnable* pass_turn_locked() noexcept;
    [[nodiscard]] runnable* close_one_locked() noexcept;
    void list_as_asked_locked(group_member& m) noexcept;
    [[nodiscard]] std::vector<std::exception_ptr> errors_with(const std::exception_ptr& last) const;

    std::mutex mutex_;
    runnable* owner_ = nullptr;
    runtime_port* runtime_ = nullptr;
    const std::size_t limit_;
    std::size_t open_ = 0;
    std::size_t turns_taken_ = 0;
    group_list begun_;   // not asked to stop, as those
    group_list queued_;  // that wait for a turn
    group_list asked_;   // the others that are not done
    group_list ended_;   // that keep their task, in the order in which they ended
    reason_ref why_;
    std::optional<std::uint32_t> own_request_;  // to the owner: its epoch
    std::uint32_t seen_ = 0;                    // requests that the owner saw before the group
    bool is_leaving_ = false;
    bool is_stopping_ = false;
    bool has_ended_ = false;
    bool is_waiting_ = false;  // the owner, to be woken
    bool has_waited_ = false;
    real_environment::atomic<std::uint32_t> references_{1};
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
