// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The part of gather and of wait that does not depend on the results' types: tasks that one task
// waits for, and when that wait is decided.
//
// Protocol: gather core                 checked by: tests/model/gather_model.cpp,
//                                       tests/stress/gather_stress_test.cpp, wait_stress_test.cpp
// Roles      gather_state.hpp's
// Words      the gather state's · references_: members that are registered, the await, handles
// Invariants G1, G3 to G6 of gather_state.hpp
//            G2 the core lives until the last child was done, or its member was taken out, the
//               await ended and the last handle went: reference count.
// Edges      the gather state's, H1
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/combine/gather_state.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/reference_count.hpp"

namespace weft::detail {

/// The children of one gather or wait and what is known of them. On the heap: children may outlive
/// it.
class gather_core : public gather_state<real_environment, task_state> {
public:
    /// When the outcome is decided, but when all have ended. The first two are a gather's, which
    /// takes the errors of its children for observed.
    enum class mode : std::uint8_t { first_error, settle, first_completed, first_exception, all };

    /// Throws std::bad_alloc.
    gather_core(mode how, std::vector<any_task> children);
    gather_core(const gather_core&) = delete;
    gather_core& operator=(const gather_core&) = delete;

    /// Registers with every child. True if that decided the outcome: nobody will wake `awaiting`.
    [[nodiscard]] bool begin(runnable& awaiting) noexcept;
    /// Leaves the children that are not done. Once the await is over.
    void withdraw() noexcept;
    void retain() noexcept { references_.add(); }
    void drop() noexcept;
    /// The await ends: from here on the core names no awaiting task.
    void forget_waiter() noexcept;

    /// Asks every child to stop, if the outcome is open. False if none took the request. Any
    /// thread.
    bool cancel(const reason_ref& why) noexcept;
    /// A child has taken a request that came through the awaiting task.
    void note_request(const reason_ref& why) noexcept;
    [[nodiscard]] reason_ref reason() noexcept;

    [[nodiscard]] const std::vector<any_task>& children() const noexcept { return children_; }
    [[nodiscard]] bool contains(const task_state* task) const noexcept;
    /// For name_awaited.
    waits_on name_children(wait_listener& to) const noexcept;
    /// Whether the children as they are now would decide the outcome.
    [[nodiscard]] bool is_over() const noexcept;

private:
    struct member : completion_node {
        member() noexcept : completion_node(kind) {}
        static const completion_kind kind;
        static void on_done(completion_node& node) noexcept;
        gather_core* core = nullptr;
        task_state* task = nullptr;
    };

    [[nodiscard]] bool is_decided_by(const task_state& done_child) const noexcept;
    /// True if this decided the outcome.
    [[nodiscard]] bool child_done(task_state& child) noexcept;

    mode mode_;
    std::vector<any_task> children_;
    std::unique_ptr<member[]> members_;
    runnable* awaiting_ = nullptr;
    reference_count<real_environment> references_;
    reason_slot reason_;
};

class gather_operation;

}  // namespace weft::detail

namespace weft {

/// A gather seen from outside, to look at it or to cancel it: `auto all = gather(a, b);
/// auto handle = all.handle(); co_await all;`. Copyable; any thread; may outlive the gather.
class gather_handle {
public:
    gather_handle(const gather_handle& other) noexcept : gather_handle(*other.core_) {}
    gather_handle& operator=(const gather_handle& other) noexcept {
        gather_handle copy{other};
        std::swap(core_, copy.core_);
        return *this;
    }
    ~gather_handle() { core_->drop(); }

    /// True once the outcome is decided: all children have ended, or one has failed and the others
    /// go on. Not before somebody awaits the gather, unless it is one of nothing.
    [[nodiscard]] bool done() const noexcept { return core_->is_decided(); }
    /// What the await throws, a `cancelled` like any other; nullptr if it gives values. Throws
    /// invalid_state_error while the gather is not done.
    [[nodiscard]] std::exception_ptr exception() const;
    /// Asks every child to stop. The await then throws `cancelled`, even if all of them decline;
    /// the awaiting task was not asked: its `cancelling()` does not count this. False if the gather
    /// is done, or no child took the request: then nothing happens.
    bool cancel(std::string_view reason = {},
                std::source_location where = std::source_location::current()) const;

private:
    friend detail::gather_operation;
    explicit gather_handle(detail::gather_core& core) noexcept : core_(&core) { core.retain(); }
    detail::gather_core* core_;
};

namespace detail {

/// The await of a gather, without the results' types. Movable until it is awaited.
class gather_operation : public forwarding_operation {
public:
    gather_operation(gather_core::mode how, std::vector<any_task> children);
    gather_operation(gather_operation&& other) noexcept;

    runnable* next_to_cancel(const reason_ref& why) noexcept override;
    [[nodiscard]] life::cancel_outcome outcome() noexcept override;
    /// The children stay registered; the last of them drops the core.
    life::cancel_outcome unlink() noexcept override;
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override;
    waits_on name_awaited(wait_listener& to) const noexcept override;

    bool await_ready() const noexcept {
        WEFT_CHECK(core_ != nullptr, "this gather was moved from");
        WEFT_CHECK(self_ == nullptr, "a gather is awaited once");
        return core_->children().empty();
    }
    template <weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return begin(caller.promise().current(), caller);
    }
    /// To look at the gather, or cancel it, from elsewhere.
    [[nodiscard]] gather_handle handle() const noexcept {
        WEFT_CHECK(core_ != nullptr, "this gather was moved from");
        return gather_handle{*core_};
    }

protected:
    ~gather_operation() {
        if (core_ == nullptr) return;
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
    gather_core* core_;
    runnable* self_ = nullptr;
    std::size_t next_asked_ = 0;  // canceller-confined
    reason_ref why_;              // canceller-confined
    bool awaits_itself_ = false;
    bool waits_ = false;  // else the outcome was there
};

}  // namespace detail

}  // namespace weft
