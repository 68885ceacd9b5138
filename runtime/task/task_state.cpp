// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/task_state.hpp"

#include <new>

#include "task/task_extras.hpp"
#include "weft/error.hpp"
#include "weft/task/never_awaited.hpp"
#include "weft/task/task.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

constexpr std::uintptr_t held = 1;
constexpr std::uintptr_t closed = 2;

completion_node* first_of(std::uintptr_t list) noexcept {
    return reinterpret_cast<completion_node*>(list & ~std::uintptr_t{3});
}

std::uintptr_t list_of(completion_node* first) noexcept {
    return reinterpret_cast<std::uintptr_t>(first);
}

completion_node* reversed(completion_node* node) noexcept {
    completion_node* result = nullptr;
    while (node != nullptr) {
        completion_node* next = node->next;
        node->next = result;
        result = node;
        node = next;
    }
    return result;
}

/// In the order of registration; `newest` was registered last.
void tell(completion_node* newest) noexcept {
    for (completion_node* node = reversed(newest); node != nullptr;) {
        completion_node* const next = node->next;  // the node may be gone once it is told
        node->kind->notify(*node);
        node = next;
    }
}

/// `woken` waited for the task that ends on `here`.
std::coroutine_handle<> run_next(worker_port& here, runnable& woken) noexcept {
    if (&woken.worker->runtime() != &here.runtime()) {
        submit(woken);
        return std::noop_coroutine();
    }
    return here.submit_and_leave(woken);
}

}  // namespace

bool task_state::add_completion(completion_node& node) noexcept {
    std::uintptr_t list = awaiters_.load(std::memory_order_acquire);  // T3
    for (;;) {
        if (list == closed) return false;
        if ((list & held) != 0) {
            real_environment::relax();
            list = awaiters_.load(std::memory_order_acquire);  // T3
            continue;
        }
        node.next = first_of(list);
        if (awaiters_.compare_exchange_weak(list, list_of(&node), std::memory_order_acq_rel,  // T2
                                            std::memory_order_acquire)) {                     // T3
            return true;
        }
    }
}

/// Takes the list's bit: nobody is told, added or removed until `awaiters_` is stored again. False
/// if the task is done.
bool task_state::hold_awaiters(completion_node*& first) noexcept {
    std::uintptr_t list = awaiters_.load(std::memory_order_acquire);  // T3
    for (;;) {
        if (list == closed) return false;
        if ((list & held) == 0 &&
            awaiters_.compare_exchange_weak(list, list | held, std::memory_order_acq_rel,  // T2
                                            std::memory_order_acquire)) {                  // T3
            first = first_of(list);
            return true;
        }
        real_environment::relax();
        list = awaiters_.load(std::memory_order_acquire);  // T3
    }
}

bool task_state::remove_completion(completion_node& node) noexcept {
    completion_node* first = nullptr;
    if (!hold_awaiters(first)) return false;
    completion_node** link = &first;
    while (*link != nullptr && *link != &node) link = &(*link)->next;
    bool found = *link == &node;
    if (found) *link = node.next;
    awaiters_.store(list_of(first), std::memory_order_release);  // T2: hands the list on
    return found;
}

task_state* task_state::oldest_awaiter() noexcept {
    completion_node* first = nullptr;
    if (!hold_awaiters(first)) return nullptr;
    completion_node* const oldest = reversed(first);
    task_state* found = nullptr;
    for (completion_node* node = oldest; node != nullptr && found == nullptr; node = node->next) {
        if (node->kind->waiter != nullptr) found = node->kind->waiter(*node);
    }
    awaiters_.store(list_of(reversed(oldest)), std::memory_order_release);  // T2: hands it on
    return found;
}

/// From now on nobody is added; returns those who are to be told, the newest first.
completion_node* task_state::close_awaiters() noexcept {
    std::uintptr_t list = awaiters_.load(std::memory_order_relaxed);  // T2: the exchange acquires
    for (;;) {
        if ((list & held) != 0) {
            real_environment::relax();
            list = awaiters_.load(std::memory_order_relaxed);  // T2: the exchange acquires
        } else if (awaiters_.compare_exchange_weak(list, closed,
                                                   std::memory_order_acq_rel,     // T2 T3
                                                   std::memory_order_relaxed)) {  // only retried
            return first_of(list);
        }
    }
}

/// The body has ended, and nobody knows yet.
void task_state::meet_end() noexcept {
    meet_requests(*worker);
    if (has_extras() && !keeps_context) [[unlikely]]
        static_cast<void>(exchange_context({}));
}

bool task_state::complete_value() noexcept {
    meet_end();
    outcome_ = outcome_kind::value;
    if (lifecycle.finish(true)) {
        trace::task_finish(worker->trace, trace::finish_result::value, runs, 0);
        return true;
    }
    outcome_ = outcome_kind::none;
    return false;
}

void task_state::complete_error(std::exception_ptr error) noexcept {
    meet_end();
    bool by_cancellation = is_cancellation(error);
    keep_outcome(std::move(error), by_cancellation ? outcome_kind::cancelled : outcome_kind::error);
    if (!by_cancellation) keep_sink(*runtime_);
    static_cast<void>(lifecycle.finish(false));
    trace::task_finish(
        worker->trace,
        by_cancellation ? trace::finish_result::cancelled : trace::finish_result::exception, runs,
        0);
}

/// The runnable waits for nothing any more, and is in no queue.
void task_state::keep_outcome(std::exception_ptr error, outcome_kind how) noexcept {
    std::construct_at(&ended_with, std::move(error));
    outcome_ = how;
}

void task_state::keep_sink(runtime_port& runtime) noexcept {
    try {
        extras().sink = runtime.failures();
    } catch (const std::bad_alloc&) {
        mark_observed();  // no memory left even to remember whom to tell
    }
}

std::exception_ptr task_state::cancellation() noexcept {
    return std::make_exception_ptr(cancelled{reason.take()});
}

void task_state::discard() noexcept {
    destroy_quietly(resume_point);
    keep_outcome(cancellation(), outcome_kind::cancelled);
    static_cast<void>(lifecycle.finish(false));
    drop();
}

std::coroutine_handle<> task_state::finish_unshared() noexcept {
    worker_port& here = *worker;
    task_join* const direct = here.current.direct();
    if (direct != nullptr && (!direct->holds() || direct->was_asked())) return nullptr;
    here.current.clear();  // as in leave(); the watchdog must not take a reference any more
    if (!runtime_->delist_if_unshared(*this, here, holders_at_end())) return nullptr;
    outcome_ = outcome_kind::value;
    trace::task_finish(here.trace, trace::finish_result::value, runs, 0);
    if (direct == nullptr) {
        ops->dispose(*this);
        return std::noop_coroutine();
    }
    references_.store(1, std::memory_order_relaxed);  // T1: see A3
    here.current.end_direct();
    return here.submit_and_leave(direct->awaiting());
}

std::coroutine_handle<> task_state::leave() noexcept {
    worker_port& here = *worker;
    // First: whoever awaited it must not find it among the live ones. The runtime cannot end before
    // this worker does.
    runtime_->delist(*this, here);
    completion_node* node = close_awaiters();
    if (task_join* direct = here.current.direct()) return leave_to(*direct, node);
    const bool is_only = node != nullptr && node->next == nullptr && node->kind->rouse != nullptr;
    if (is_only && try_leave_to_the_other_holder()) {
        runnable* const woken = node->kind->rouse(*node);
        return woken != nullptr ? run_next(here, *woken) : std::noop_coroutine();
    }
    tell(node);
    // Nobody, a failure handler either, takes a handle to what goes now.
    if (!here.current.is_empty()) here.current.clear();
    drop();
    return std::noop_coroutine();
}

/// The direct await comes before those who joined later.
std::coroutine_handle<> task_state::leave_to(task_join& direct, completion_node* others) noexcept {
    worker_port& here = *worker;
    runnable& awaiting = direct.awaiting();
    here.current.end_direct();
    if (others == nullptr) {
        if (direct.holds())
            drop();
        else
            direct.adopt_reference();
        return here.submit_and_leave(awaiting);
    }
    direct.hold();
    here.submit_woken(awaiting);
    tell(others);
    drop();
    return std::noop_coroutine();
}

/// A3: the only awaiter is that holder, and is told after this.
bool task_state::try_leave_to_the_other_holder() noexcept {
    if (references_.load(std::memory_order_relaxed) != 2) return false;  // a hint
    if (!worker->current.is_empty()) worker->current.clear();  // the watchdog takes no handle now
    if (references_.load(std::memory_order_acquire) != 2) return false;  // T1
    references_.store(1, std::memory_order_relaxed);  // T1: telling the awaiter publishes it
    return true;
}

void task_state::tell_awaiters() noexcept { tell(close_awaiters()); }

void task_state::mark_observed() noexcept {
    observed_.store(true, std::memory_order_relaxed);  // T1: read by the last holder only
}

bool task_state::claim_observation() noexcept {
    return !observed_.exchange(true, std::memory_order_acq_rel);  // T1
}

void task_state::cancel_when_dropped() noexcept {
    references_.store(2 | drop_mark, std::memory_order_relaxed);  // T1: nobody knows it yet
}

void task_state::leave_to_runtime() noexcept {
    references_.store(1, std::memory_order_relaxed);  // T1: nobody else knows it yet
}

void task_state::drop() noexcept {
    // The last holder is alone, so it need not count down: it only needs the others' edges.
    const std::uint32_t seen = references_.load(std::memory_order_acquire);  // T1
    if (seen != 1) {
        if ((seen & drop_mark) != 0) [[unlikely]]
            return drop_marked();
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;  // T1
    }
    drop_last();
}

inline void task_state::drop_last() noexcept {
    if (outcome_ == outcome_kind::error) report_if_unobserved();
    ops->dispose(*this);
}

/// Of a task that is to be asked to stop when no handle is left.
[[gnu::noinline]] void task_state::drop_marked() noexcept {
    std::uint32_t seen = references_.load(std::memory_order_acquire);  // T1
    for (;;) {
        const std::uint32_t holders = seen & ~drop_mark;
        if (holders == 1) return drop_last();
        // Besides the runtime this is the last one. It takes the mark off, so that nobody asks a
        // second time, and stays until it has asked.
        const bool asks = holders == 2 && seen != holders && !is_done();
        const std::uint32_t rest = asks ? holders : seen - 1;
        if (!references_.compare_exchange_weak(seen, rest, std::memory_order_acq_rel,  // T1
                                               std::memory_order_acquire)) {           // T1
            continue;
        }
        if (!asks) return;
        request_cancel(*this,
                       make_reason("its last handle was dropped", std::source_location::current()));
        return drop();
    }
}

void task_state::report_if_unobserved() noexcept {
    if (observed_.load(std::memory_order_relaxed)) return;  // T1: the last, it has seen every drop
    task_extras* more = extras_if_any();
    if (more == nullptr || !more->sink) return;
    try {
        failure what{failure::kind::never_observed, name(), error(), {}};
        what.message =
            "exception in " + what.task_name + " was never observed: " + describe(error());
        more->sink->report(what);
    } catch (const std::bad_alloc&) {
        mark_observed();
    }
}

task_state::~task_state() {
    if (has_error()) std::destroy_at(&ended_with);
    if (has_extras()) [[unlikely]]
        destroy_extras();
}

/// The values are in the extras, if there are any.
void task_state::destroy_extras() noexcept {
    static_cast<void>(exchange_context({}));
    const quiet_drop callbacks_that_are_not_called;
    delete extras_if_any();
}

const task_context* task_state::context_of(std::uintptr_t word) noexcept {
    return (word & context_mark) != 0 ? reinterpret_cast<const task_context*>(word & ~context_mark)
                                      : nullptr;
}

const task_context* task_state::context() const noexcept {
    const std::uintptr_t word = extras_.load(std::memory_order_acquire);  // T4
    const task_extras* const more = extras_of(word);
    return more != nullptr ? more->context.get() : context_of(word);
}

/// Not inlined: every task that ends would set up the frame that the lock needs.
[[gnu::noinline]] context_ref task_state::exchange_context(context_ref fresh) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(fresh.get());
    const std::uintptr_t wanted = address == 0 ? 0 : address | context_mark;
    std::uintptr_t present = extras_.load(std::memory_order_acquire);  // T4
    for (;;) {
        if (task_extras* const more = extras_of(present)) {
            if (more->context.get() == fresh.get()) return fresh;  // both null, mostly
            std::lock_guard guard{more->mutex};
            return std::exchange(more->context, std::move(fresh));
        }
        if (extras_.compare_exchange_weak(present, wanted, std::memory_order_acq_rel,  // T4
                                          std::memory_order_acquire)) {                // T4
            static_cast<void>(fresh.release());
            return context_ref::adopt(context_of(present));
        }
    }
}

task_extras& task_state::extras() {
    std::uintptr_t present = extras_.load(std::memory_order_acquire);  // T4
    if (task_extras* const more = extras_of(present)) return *more;
    auto fresh = std::make_unique<task_extras>();
    for (;;) {
        const auto wanted = reinterpret_cast<std::uintptr_t>(fresh.get());
        fresh->context = context_ref::adopt(context_of(present));
        if (extras_.compare_exchange_weak(present, wanted, std::memory_order_acq_rel,  // T4
                                          std::memory_order_acquire)) {                // T4
            return *fresh.release();
        }
        static_cast<void>(fresh->context.release());  // they are the word's still
        if (task_extras* const more = extras_of(present)) return *more;
    }
}

std::string task_state::name() const {
    if (task_extras* more = extras_if_any()) {
        std::lock_guard guard{more->mutex};
        if (!more->name.empty()) return more->name;
    }
    if (is_future()) return "a future of " + std::string{location_.function_name()};
    return (hidden ? "callback-" : "Task-") + std::to_string(id_);
}

void task_state::set_name(std::string_view name) {
    task_extras& more = extras();
    std::lock_guard guard{more.mutex};
    more.name = name;
}

void task_state::throw_unless_done() const {
    if (is_done()) return;
    throw invalid_state_error(name() + " is not done: it has no result yet; await it");
}

void task_state::throw_unless_value() {
    throw_unless_done();
    if (outcome_ == outcome_kind::value) return;
    mark_observed();
    std::rethrow_exception(error());
}

}  // namespace weft::detail
