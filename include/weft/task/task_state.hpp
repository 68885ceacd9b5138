// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The control block of a task: what outlives the coroutine. The frame, with the arguments and
// locals of the body, is destroyed when the body ends; the outcome stays here until the last handle
// goes (docs/decisions/0002-control-block.md).
//
// Protocol: task control block             checked by: tests/stress/task_stress_test.cpp, TSan
// Roles      runtime (holds one reference until done) · handles (any thread) · finisher (once)
// Words      references: handles plus the runtime's one | the mark of a task that is to be asked to
//            stop when its last handle goes; A3 and A4 are not for it
//            awaiters: list of completion_node, newest first | 1 while a remover holds the list |
//            closed once the task is done
//            extras: null | the task-local values, marked | the seldom-needed part, which has those
//            then as well
//            observed: an exception was seen by somebody
// Invariants A1 a node is notified once or removed, never both: both happen under the list's bit.
//            A2 the outcome is written before the lifecycle word says done, read only after.
//            A3 a task that has no handle but its only awaiter's leaves that one the block: the
//               finisher counts itself out before it tells it, without a read-modify-write. Nobody
//               else counts meanwhile: who lists tasks or watches workers finds it no more, and a
//               canceller that comes by way of the awaiter takes no reference, but keeps it
//               waiting.
//            A4 a task that only the runtime and the direct await that runs it hold (task.hpp) ends
//               without being marked as done: the await looks at the outcome, nobody else can.
// Edges      T1 last drop: every use of the block is before its deletion
//            T2 add publishes the node → close acquires the list
//            T3 close publishes the outcome to an adder who finds the list closed
//            T4 extras' exchanges: what is there is whole. Anybody may put the seldom-needed part
//               there; the values are exchanged by the task alone, before by whoever makes it, and
//               in that part under its mutex, so that anybody may copy them there
// Shutdown   a handle may outlive its runtime: the block then refers to nothing of it but the
//            failure handler, which it shares.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>

#include "weft/ports/priority.hpp"
#include "weft/task/coro.hpp"
#include "weft/task/runnable.hpp"
#include "weft/task/task_context.hpp"

namespace weft::detail {

struct task_extras;
class promised_result;

struct completion_node;

/// What differs between those who are told that a task is done.
struct completion_kind {
    /// On the finisher's thread, in the order of registration; must not block; the node may be
    /// freed from within.
    void (*notify)(completion_node&) noexcept;
    /// The task that awaits, with a reference for the caller, or nullptr. Called while the node's
    /// list is held; for diagnostics. Null for those that are no task.
    task_state* (*waiter)(completion_node&) noexcept;
    /// Of those who keep a reference to the task until they are told, and lend it to nobody: notify
    /// without queueing what becomes ready, which is returned, or null. Null for the others.
    runnable* (*rouse)(completion_node&) noexcept = nullptr;
};

/// Somebody to tell when a task is done. Lives in the awaiter's frame or on the heap.
struct completion_node {
    explicit completion_node(const completion_kind& what) noexcept : kind(&what) {}
    completion_node* next = nullptr;
    const completion_kind* kind;
};

class task_state : public runnable {
public:
    enum class outcome_kind : std::uint8_t { none, value, error, cancelled };

    task_state(const task_state&) = delete;
    task_state& operator=(const task_state&) = delete;

    void retain() noexcept {
        references_.fetch_add(1, std::memory_order_relaxed);  // T1: needs a live holder only
    }
    void drop() noexcept;

    /// What a promise settles, and no task: it has no body, and no registry lists it.
    [[nodiscard]] bool is_future() const noexcept { return ops->settle != nullptr; }

    // Any thread; outcome() and error() only once is_done().
    [[nodiscard]] bool is_done() const noexcept { return lifecycle.is_done(); }
    [[nodiscard]] outcome_kind outcome() const noexcept { return outcome_; }
    /// Null for a value.
    [[nodiscard]] std::exception_ptr error() const noexcept {
        return has_error() ? ended_with : nullptr;
    }
    void mark_observed() noexcept;
    /// True for the first to see the error of a failed task.
    [[nodiscard]] bool claim_observation() noexcept;
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    void set_id(std::uint64_t id) noexcept { id_ = id; }  // before it is registered
    [[nodiscard]] std::string name() const;
    void set_name(std::string_view name);
    [[nodiscard]] std::source_location location() const noexcept { return location_; }

    /// Where it queues when it is ready next: a hint, no edge.
    [[nodiscard]] weft::priority priority() const noexcept {
        return priority_.load(std::memory_order_relaxed);  // a hint
    }
    void set_priority(weft::priority level) noexcept {
        priority_.store(level, std::memory_order_relaxed);  // a hint
    }

    [[nodiscard]] runtime_port& runtime() const noexcept { return *runtime_; }
    /// Its worker, at the end of the body: whether nobody knows it but these holders. Under the
    /// lock of its list, where all_tasks() makes handles, that stays so.
    [[nodiscard]] bool is_unshared(std::uint32_t holders) const noexcept {
        return references_.load(std::memory_order_acquire) == holders &&  // T1: others' last uses
               !has_awaiters() && !lifecycle.has_requests();
    }
    /// Any thread; a hint, but see is_unshared. True once it is done.
    [[nodiscard]] bool has_awaiters() const noexcept {
        return awaiters_.load(std::memory_order_acquire) != 0;  // T2
    }
    /// Of a future, by its promise: whether anybody could learn what becomes of it. False stays so.
    [[nodiscard]] bool is_wanted() const noexcept {
        return references_.load(std::memory_order_acquire) != 1 || has_awaiters();  // T1
    }
    /// For a new task, before it is registered: asked to stop when its last handle goes.
    void cancel_when_dropped() noexcept;
    [[nodiscard]] bool goes_with_its_handles() const noexcept {
        return (references_.load(std::memory_order_relaxed) & drop_mark) != 0;  // T1: set at first
    }
    /// Once it is done, for a holder: whether there is no other. That stays so.
    [[nodiscard]] bool has_one_holder() const noexcept {
        return (references_.load(std::memory_order_acquire) & ~drop_mark) == 1;  // T1
    }
    /// For a new task that is to have no handle, before it is registered.
    void leave_to_runtime() noexcept;
    /// Gives up a task that was never registered: destroys the body, drops the runtime's reference.
    void discard() noexcept;

    /// Registers `node`; false if the task is done already: it will not be told.
    [[nodiscard]] bool add_completion(completion_node& node) noexcept;
    /// Takes `node` out; false if it has been or is being told.
    bool remove_completion(completion_node& node) noexcept;
    /// The task that has awaited this one longest, with a reference for the caller, or nullptr. Any
    /// thread; for diagnostics.
    [[nodiscard]] task_state* oldest_awaiter() noexcept;

    void throw_unless_done() const;
    /// Throws the error, `cancelled`, or invalid_state_error while the task is not done.
    void throw_unless_value();
    [[nodiscard]] task_extras& extras();  // throws std::bad_alloc on first use
    [[nodiscard]] task_extras* extras_if_any() const noexcept {
        return extras_of(extras_.load(std::memory_order_acquire));  // T4
    }
    /// False: it has no task-local values either. A hint, but for the task itself.
    [[nodiscard]] bool has_extras() const noexcept {
        return extras_.load(std::memory_order_relaxed) != 0;  // whoever goes on acquires
    }
    /// Its task-local values, until they are exchanged; null if none is set. The task itself, or
    /// whoever makes it; of main tasks also whoever waits for them.
    [[nodiscard]] const task_context* context() const noexcept;
    /// The same may exchange them; returns what was there.
    context_ref exchange_context(context_ref fresh) noexcept;

private:
    // First, so that they take the room that is left in the runnable.
    real_environment::atomic<bool> observed_{false};
    real_environment::atomic<weft::priority> priority_{weft::priority::normal};
    outcome_kind outcome_ = outcome_kind::none;
    real_environment::atomic<std::uint32_t> references_{2};  // the handle and the runtime

public:
    // all_tasks(): its place in the shard of its creator's worker; guarded by that one's lock.
    std::uint16_t registry_shard = 0;
    bool hidden = false;         // the runtime's own: not in all_tasks()
    bool keeps_context = false;  // at its end: a main task's values are for the next one
    std::uintptr_t* registry_slot = nullptr;

protected:
    task_state(const runnable_ops& kind, worker_port* creator, runtime_port& runtime,
               std::source_location location) noexcept
        : runnable(kind, creator, this), location_(location), runtime_(&runtime) {}
    ~task_state();

    /// Ends the lifecycle with a value that the caller has stored. False if an undelivered request
    /// turns it into a cancellation: the caller drops the value and calls complete_error.
    [[nodiscard]] bool complete_value() noexcept;
    void complete_error(std::exception_ptr error) noexcept;
    /// At the end of a body that gave a value: if only the runtime holds the task, and perhaps the
    /// await that runs it directly, nobody can look at it, ask it to stop or wait for it, nor come
    /// to. So it ends without a read-modify-write; returns what the worker resumes in its place.
    /// Null: it has not ended.
    [[nodiscard]] std::coroutine_handle<> finish_unshared() noexcept;
    /// A hint.
    [[nodiscard]] bool may_be_unshared() const noexcept { return is_unshared(holders_at_end()); }
    /// The error of a task that ends cancelled without an exception of its own.
    [[nodiscard]] std::exception_ptr cancellation() noexcept;
    /// Leaves the runtime, tells the awaiters, drops the runtime's reference: last use of `this`.
    /// Returns what the worker resumes in its place.
    std::coroutine_handle<> leave() noexcept;

    // For futures (future_record.hpp).
    void wait_for_promise(promised_result& result) noexcept;
    /// The producer that claimed: settles, or waits until somebody has.
    void settle_or_wait(promised_result& result) noexcept;
    /// Ends with the result. False: a request came first, so it ends cancelled.
    [[nodiscard]] bool end_as_future(promised_result& result) noexcept;
    void tell_awaiters() noexcept;

private:
    /// The runtime, and the await that runs it directly.
    [[nodiscard]] std::uint32_t holders_at_end() const noexcept {
        return worker->current.direct() == nullptr ? 1 : 2;
    }
    [[nodiscard]] bool has_error() const noexcept {
        return outcome_ == outcome_kind::error || outcome_ == outcome_kind::cancelled;
    }
    void keep_outcome(std::exception_ptr error, outcome_kind how) noexcept;
    void keep_sink(runtime_port& runtime) noexcept;
    void meet_end() noexcept;
    [[nodiscard]] static task_extras* extras_of(std::uintptr_t word) noexcept {
        return (word & context_mark) == 0 ? reinterpret_cast<task_extras*>(word) : nullptr;
    }
    [[nodiscard]] static const task_context* context_of(std::uintptr_t word) noexcept;
    void destroy_extras() noexcept;
    [[nodiscard]] bool hold_awaiters(completion_node*& first) noexcept;
    [[nodiscard]] completion_node* close_awaiters() noexcept;
    [[nodiscard]] std::coroutine_handle<> leave_to(task_join& direct,
                                                   completion_node* others) noexcept;
    [[nodiscard]] bool try_leave_to_the_other_holder() noexcept;
    void drop_last() noexcept;
    void drop_marked() noexcept;
    void report_if_unobserved() noexcept;

    static constexpr std::uintptr_t context_mark = 1;
    static constexpr std::uint32_t drop_mark = std::uint32_t{1} << 31;

    real_environment::atomic<std::uintptr_t> awaiters_{0};
    real_environment::atomic<std::uintptr_t> extras_{0};
    std::source_location location_;
    runtime_port* runtime_;
    std::uint64_t id_ = 0;
};

}  // namespace weft::detail
