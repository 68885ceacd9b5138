// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a queue holds and a worker resumes: a task, or a child of `when_all` that lives in its
// parent's frame. A runnable has one lifecycle word, one coroutine to resume next, and, while it
// waits, one operation that it waits on.
//
// Suspension has two phases. An awaiter first registers its operation (from then on it may be
// completed by anyone) and then calls `commit_suspend`, which publishes the suspension or says that
// it is not needed. Until then the awaiter owns the frame; after a true answer it must not touch
// the frame, the operation or the runnable again.
//
// Its words are part of the lifecycle word's protocol (lifecycle.hpp).
//
// Fields     resume_point, operation, worker: owner-confined while active, published by L2 of
//            lifecycle.hpp · reason: cancel_reason.hpp · ops, owner: immutable · next_spilled: the
//            spill list's · ended_with: the finisher's, published by L4 · limits: the owner's, and,
//            while it waits for children, theirs
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>

#include "weft/ports/ports.hpp"
#include "weft/task/cancel_reason.hpp"
#include "weft/task/lifecycle.hpp"
#include "weft/trace/format.hpp"

namespace weft::detail {

using life = lifecycle<real_environment>;
struct runnable;
class join_scope;
class task_state;

/// Who must act before an operation completes.
enum class waits_on : std::uint8_t {
    outside,            ///< a timer, a descriptor, the other end; those that it names as well
    all,                ///< each of those that it names
    any,                ///< one of them
    all_or_one_failed,  ///< each of them, but one is enough if it fails
};

/// Hears what an operation waits on. It neither allocates nor waits, and keeps nothing that it
/// hears of but ids.
class wait_listener {
public:
    /// False: it has heard enough.
    virtual bool hear_of_task(const task_state& awaited) noexcept = 0;
    /// The same, for a child that is no task.
    virtual bool hear_of_child(runnable& child) noexcept = 0;
    /// The task that has what it waits for.
    virtual void hear_of_holder(std::uint64_t task_id) noexcept = 0;
    /// A timer ends the wait, if nothing else does before.
    virtual void hear_of_limit() noexcept = 0;

protected:
    ~wait_listener() = default;
};

/// What a waiting runnable waits on, seen from a canceller or a looker. Called only while that one
/// holds the runnable's `busy` bit, so the frame that contains the operation cannot go away.
class operation {
public:
    /// A leaf takes itself out of the structure that would complete it. `unlinked`: nobody else
    /// will wake the runnable. `lost`: a completion is under way or over.
    virtual life::cancel_outcome unlink() noexcept { return life::cancel_outcome::lost; }
    /// An operation on other runnables names the next one to ask, nullptr after the last.
    virtual runnable* next_to_cancel(const reason_ref& /*why*/) noexcept { return nullptr; }
    /// Tells how the runnable that next_to_cancel() named answered.
    virtual void note_answer(bool /*accepted*/) noexcept {}
    virtual bool is_forwarding() const noexcept { return false; }
    /// For diagnostics.
    [[nodiscard]] virtual trace::suspend_reason wait_reason() const noexcept = 0;
    /// For diagnostics: names the runnables that it waits on, or who holds what it waits for. What
    /// it names stays while it does: others that complete it may be at work. For `any` it names
    /// whoever might be the one, also those that are done.
    virtual waits_on name_awaited(wait_listener& /*to*/) const noexcept {
        return waits_on::outside;
    }

    [[nodiscard]] bool was_unlinked() const noexcept { return unlinked_; }

protected:
    operation() noexcept = default;
    ~operation() = default;
    bool unlinked_ = false;
};

/// An operation that waits on other runnables and hands a request to them.
class forwarding_operation : public operation {
public:
    bool is_forwarding() const noexcept final { return true; }
    runnable* walk_up = nullptr;  // the runnable above in a canceller's walk; canceller-confined
    bool in_circle = false;       // a child waits, in the end, on this one; canceller-confined

    void note_answer(bool accepted) noexcept override { accepted_ = accepted_ || accepted; }
    /// Whether a child accepted since the last call.
    [[nodiscard]] virtual life::cancel_outcome outcome() noexcept {
        bool accepted = accepted_;
        accepted_ = false;
        return accepted ? life::cancel_outcome::forwarded : life::cancel_outcome::lost;
    }

protected:
    ~forwarding_operation() = default;

private:
    bool accepted_ = false;
};

/// What differs between kinds of runnables.
struct runnable_ops {
    /// The outermost coroutine `frame` reached its end; returns what the worker runs next.
    std::coroutine_handle<> (*finish)(runnable&, std::coroutine_handle<> frame) noexcept;
    /// Cancelled before its first step: ends it without running the body. Null: nothing to run
    /// next.
    std::coroutine_handle<> (*abandon)(runnable&) noexcept;
    /// The last reference to a task went.
    void (*dispose)(task_state&) noexcept;
    /// Of a future (future_record.hpp): it is ready, and goes into no queue. Null for all others.
    void (*settle)(runnable&) noexcept = nullptr;
};

struct runnable {
    runnable(const runnable_ops& kind, worker_port* creator, task_state* enclosing) noexcept
        : ops(&kind), worker(creator), owner(enclosing) {}
    runnable(const runnable&) = delete;
    runnable& operator=(const runnable&) = delete;
    ~runnable() {}

    /// Whoever resumes it, before. True if the body has not begun.
    [[nodiscard]] bool count_run() noexcept {
        const bool is_first = runs == 0;
        const bool wraps = __builtin_add_overflow(runs, 1U, &runs);
        runs += wraps ? 1U : 0U;  // 0 says something else
        return is_first;
    }
    /// Owner: it goes into a scope whose timer is armed, or out of it.
    void count_limit(int change) noexcept {
        const int now = limits.load(std::memory_order_relaxed) + change;          // its own
        limits.store(static_cast<std::uint8_t>(now), std::memory_order_relaxed);  // its own
    }

    life lifecycle;
    reason_slot reason;
    std::coroutine_handle<> resume_point;
    union {  // one after the other
        detail::operation* operation = nullptr;
        runnable* next_spilled;         // while it is ready and no queue has room
        std::exception_ptr ended_with;  // of a task that ended without a value
    };
    const runnable_ops* ops;
    worker_port* worker;     // the worker that runs it, or ran it last
    task_state* owner;       // the task that it belongs to
    std::uint32_t runs = 0;  // resumptions by a worker; 0: the body has not begun
    /// The scopes around it whose timers were armed: each asks it to stop sooner or later. Modulo
    /// 256. For diagnostics.
    real_environment::atomic<std::uint8_t> limits{0};
};

/// Second phase of a suspension. True: suspended, touch nothing. False: go on at once.
[[nodiscard]] bool commit_suspend(runnable& self) noexcept;

/// The same for a parent whose children ran in its place until now, for a direct await, and for
/// what has not begun: no trace event.
[[nodiscard]] bool commit_fork(runnable& self) noexcept;

/// What `here` runs is about to suspend, or to begin a when_all, which may compute for long and
/// looks for requests to its own task only: if that is the task of a direct await (task_join), the
/// await becomes one like all others.
void publish(task_join& direct_await) noexcept;
inline void publish_direct_await(worker_port& here) noexcept {
    if (task_join* const direct = here.current.direct()) [[unlikely]]
        publish(*direct);
}

/// What was asked of a direct await is for its task, which `here` runs: before that ends, or looks.
void pass_requests_on(task_join& direct_await) noexcept;
inline void meet_requests(worker_port& here) noexcept {
    if (task_join* const direct = here.current.direct()) [[unlikely]]
        pass_requests_on(*direct);
}

/// Completes the suspension of `self`: called exactly once by whoever completed its operation, on
/// any thread. Queues the runnable; never runs it.
void wake(runnable& self) noexcept;

/// Requests cancellation of `self` and of all that it waits on, without recursion. False if it is
/// done. The caller keeps `self` alive. Any thread.
bool request_cancel(runnable& self, reason_ref why) noexcept;

/// The same for a scope inside `self`, which cannot be done; returns the epoch for withdraw().
std::uint32_t request_cancel_in_scope(
    runnable& self, reason_ref why,
    trace::cancel_cause cause = trace::cancel_cause::timeout) noexcept;

/// Inside `self`: a request that went to something it awaited, or was delivered there, and that
/// whoever awaits further out must see as well is undelivered again. It is not counted again.
void deliver_again(runnable& self, const reason_ref& why) noexcept;

/// Hands on what was asked of `held` while the caller, who looks at it, held its busy bit, and lets
/// go.
void handle_requests(runnable& held) noexcept;

/// Takes the undelivered requests at a resumption: true if the caller must now throw.
[[nodiscard]] inline bool must_deliver_cancel(runnable& self, const operation& completed) noexcept {
    bool requested = self.lifecycle.take_requests();
    return requested || completed.was_unlinked();
}

/// Throws `cancelled` with the reason of the last request.
[[noreturn]] void throw_cancelled(runnable& self);

/// Queues a runnable that became ready: on this thread's worker if it belongs to the same runtime,
/// else through the injection queue. Any thread.
void submit(runnable& ready) noexcept;

/// Where transfers between frames are no tail calls: every 128th goes through the worker's loop.
[[nodiscard]] std::coroutine_handle<> bounded_transfer(runnable& self,
                                                       std::coroutine_handle<> next) noexcept;

/// The runnable that this thread's worker runs, or nullptr.
[[nodiscard]] runnable* current_runnable() noexcept;

}  // namespace weft::detail
