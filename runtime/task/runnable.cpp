// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/runnable.hpp"

#include <utility>

#include "task/requeue.hpp"
#include "weft/error.hpp"
#include "weft/task/lifecycle_level.hpp"
#include "weft/task/task_state.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

using duty = life::cancel_duty;
using outcome = life::cancel_outcome;

constexpr std::uint32_t transfers_per_loop = 128;

/// Asks one runnable. `handle_operation`: it waits and the caller holds its busy bit.
life::ticket ask(runnable& target, const reason_ref& why) noexcept {
    target.reason.put(why);
    return target.lifecycle.request();
}

/// Lets go of a runnable whose operation answered; true if the operation must be asked again.
bool let_go(runnable& target, outcome answer) noexcept {
    switch (target.lifecycle.release(answer)) {
        case life::release_duty::handle_again:
            return true;
        case life::release_duty::enqueue:
            target.ops->settle == nullptr ? submit(target) : target.ops->settle(target);
            return false;
        case life::release_duty::none:
            return false;
    }
    return false;
}

void settle_leaf(runnable& target) noexcept {
    while (let_go(target, target.operation->unlink())) {
    }
}

forwarding_operation& forwarding(const runnable& waiting) noexcept {
    return *static_cast<forwarding_operation*>(waiting.operation);
}

bool is_on_the_way(const runnable& wanted, const runnable* top) noexcept {
    while (top != nullptr && top != &wanted) top = forwarding(*top).walk_up;
    return top != nullptr;
}

/// Asks the next child of `top`. Returns the runnable to go on with: `top`, or the child if it
/// waits on others in turn. Notes an operation that closes a circle of tasks that await each other.
runnable* ask_next(runnable& root, runnable* top, runnable& child, const reason_ref& why) noexcept {
    life::ticket answer = ask(child, why);
    // Only a busy one can be on the way, or the root, which is active while its owner offers a
    // request; the search is long in a deep chain.
    bool circle =
        answer.duty != duty::refused &&
        (&child == &root || (answer.duty == duty::recorded_at_busy && is_on_the_way(child, top)));
    if (circle) {
        child.lifecycle.withdraw(answer.epoch);
        forwarding(*top).in_circle = true;
    }
    forwarding(*top).note_answer(answer.duty != duty::refused && !circle);
    if (answer.duty != duty::handle_operation) return top;
    if (!child.operation->is_forwarding()) {
        settle_leaf(child);
        return top;
    }
    forwarding(child).walk_up = top;
    return &child;
}

/// After the last child was asked. Only taking an operation out can ever end a circle: the one that
/// closes it or, where that cannot be taken out, the one above.
outcome sum_up(forwarding_operation& op, bool is_root) noexcept {
    outcome answer = op.outcome();
    if (!std::exchange(op.in_circle, false)) return answer;
    answer = op.unlink();
    if (answer == outcome::lost && !is_root) forwarding(*op.walk_up).in_circle = true;
    return answer;
}

/// Hands a request to all that `root`, which is kept from resuming, waits on; returns what became
/// of its operation. Walks down through forwarding operations with an explicit stack of the busy
/// runnables, which is threaded through their operations: the depth of a chain of tasks is not
/// bounded.
outcome walk(runnable& root, const reason_ref& why) noexcept {
    runnable* top = &root;
    forwarding(root).walk_up = nullptr;
    for (;;) {
        forwarding_operation& op = forwarding(*top);
        if (runnable* child = op.next_to_cancel(why)) {
            top = ask_next(root, top, *child, why);
            continue;
        }
        outcome answer = sum_up(op, top == &root);
        if (top == &root) return answer;
        runnable* up = op.walk_up;
        if (!let_go(*top, answer)) top = up;
    }
}

life::ticket request(runnable& self, const reason_ref& why, trace::cancel_cause cause) noexcept {
    if (worker_port* here = this_worker()) {
        publish_direct_await(*here);  // it may lead to, or from, whom this asks
        trace::task_cancel(here->trace, self.owner->id(), cause);
    }
    life::ticket answer = ask(self, why);
    if (answer.duty == duty::handle_operation) {
        if (self.operation->is_forwarding()) {
            while (let_go(self, walk(self, why))) {
            }
        } else {
            settle_leaf(self);
        }
    }
    return answer;
}

/// A request came before the owner had published the suspension, or while somebody looked at it.
/// Returns what the operation, which is registered already, made of it.
outcome offer_to_operation(runnable& self) noexcept {
    if (!self.operation->is_forwarding()) return self.operation->unlink();
    reason_ref why = self.reason.take();
    outcome answer = walk(self, why);
    self.reason.put_back(std::move(why));
    return answer;
}

enum class begun : std::uint8_t {
    suspended,
    woken,   // what it waits for came first
    stopped  // a request ended the wait before it began
};

begun begin_wait(runnable& self) noexcept {
    publish_direct_await(*self.worker);
    life::heed heeded = life::heed::all;
    for (;;) {
        switch (self.lifecycle.try_suspend(heeded)) {
            case life::suspension::suspended:
                return begun::suspended;
            case life::suspension::woken:
                return heeded == life::heed::all ? begun::woken : begun::stopped;
            case life::suspension::cancel_pending:
                break;
        }
        // Requests that come while these are handed over go the same way in the next round.
        std::uint32_t seen = self.lifecycle.pending_requests();
        switch (offer_to_operation(self)) {
            case outcome::unlinked:
                return begun::stopped;
            case outcome::forwarded:
                self.lifecycle.hand_over_requests(seen);
                heeded = life::heed::requests;  // the operation has been told of a level
                break;
            case outcome::lost:
                heeded = life::heed::nothing;
                break;  // delivered at the resumption
        }
    }
}

}  // namespace

bool commit_fork(runnable& self) noexcept { return begin_wait(self) == begun::suspended; }

bool commit_suspend(runnable& self) noexcept {
    WEFT_DCHECK(self.worker == this_worker(), "a weft coroutine was resumed by no worker of weft");
    WEFT_DCHECK(self.worker->local_join == nullptr, "an awaiter took its runnable from in_place()");
    // Read before the publication: afterwards another worker may run on in this frame.
    trace::emitter& emitter = self.worker->trace;
    const bool is_traced = emitter.on(trace::bits::tasks);
    const auto why = is_traced ? self.operation->wait_reason() : trace::suspend_reason{};
    worker_port& here = *self.worker;
    here.current.clear();  // the same
    const begun wait = begin_wait(self);
    if (wait == begun::suspended) {
        if (is_traced) [[unlikely]]
            trace::task_suspend(emitter, why);
        return true;
    }
    here.current.set(self);
    if (wait == begun::woken) return false;
    // As in asyncio a task that is asked to stop has given the others their turn before it hears of
    // it.
    requeue(self);
    return true;
}

void wake(runnable& self) noexcept {
    if (self.lifecycle.wake() == life::wake_duty::enqueue) submit(self);
}

bool request_cancel(runnable& self, reason_ref why) noexcept {
    if (self.lifecycle.is_done()) return false;
    return request(self, why, trace::cancel_cause::request).duty != duty::refused;
}

std::uint32_t request_cancel_in_scope(runnable& self, reason_ref why,
                                      trace::cancel_cause cause) noexcept {
    return request(self, why, cause).epoch;
}

void deliver_again(runnable& self, const reason_ref& why) noexcept {
    if (self.lifecycle.pending_requests() != 0) return;  // one delivery is for all of them
    static_cast<void>(request(self, why, trace::cancel_cause::scope));
    self.lifecycle.uncancel();
}

void handle_requests(runnable& held) noexcept {
    while (let_go(held, offer_to_operation(held))) {
    }
}

void throw_cancelled(runnable& self) {
    reason_ref why = self.reason.take();
    if (lifecycle_level<real_environment>::of(self.lifecycle) != 0) self.reason.put_back(why);
    throw cancelled{std::move(why)};
}

void submit(runnable& ready) noexcept {
    worker_port* here = this_worker();
    runtime_port& home = ready.worker->runtime();
    if (here != nullptr && &here->runtime() == &home)
        here->submit_woken(ready);
    else
        home.inject(ready);
}

runnable* current_runnable() noexcept {
    worker_port* here = this_worker();
    return here == nullptr ? nullptr : here->current.get();
}

std::coroutine_handle<> bounded_transfer(runnable& self, std::coroutine_handle<> next) noexcept {
    worker_port& worker = *self.worker;
    if (++worker.transfer_depth < transfers_per_loop) return next;
    worker.deferred_transfer = next;  // returning the no-op unwinds every nested resume
    return std::noop_coroutine();
}

void give_way(runnable& self, std::coroutine_handle<> caller) noexcept {
    self.resume_point = caller;
    requeue(self);
}

}  // namespace weft::detail
