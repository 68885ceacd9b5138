// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Threads, futex and clock of an execution. reschedule() is the one place where control changes
// hands: it is called before every operation on shared memory and whenever a thread cannot go on.
//
// Fairness. A thread that calls relax() steps back until somebody changes a value, so a spinning
// thread cannot keep the one that it waits for from running; and from half of the step limit on,
// threads take turns without any choice, so what reaches the limit is a livelock.
// The clock is virtual: it moves to the next deadline when no thread can run, or, within
// options::early_timeouts, while others still could.
#include <new>

#include "execution.hpp"
#include "trace.hpp"

namespace weft::model {

namespace {

constexpr std::size_t fiber_stack_bytes = 256 * 1024;
constexpr std::int64_t clock_start = 1'000'000;

}  // namespace

void execution::reset(choice_source& choices, bool is_traced) {
    choices_ = &choices;
    is_traced_ = is_traced;
    thread_count_ = 1;
    unfinished_ = running_ = steps_ = 0;
    preemptions_ = stale_ = spurious_ = early_ = 0;
    clock_ = clock_start;
    location_count_ = 0;
    cells_.clear();
    messages_.clear();
    messages_.emplace_back();  // index 0: the message that says nothing
    sequential_.clear();
    heavy_.clear();
    has_failed_ = false;
    message_.clear();
    trace_.clear();
    names_.clear();
}

bool execution::run(choice_source& choices, bool is_traced, const std::function<void()>& body) {
    reset(choices, is_traced);
    body_ = &body;
    start_thread(0);
    threads_[0].name = "test";
    threads_[0].now.clear();
    threads_[0].now.before.set(0, 1);
    threads_[0].state = thread_state::runnable;
    current = this;
    allocation_watch::is_on = true;
    fiber::change(root_, *fibers_[0]);
    allocation_watch::is_on = false;
    current = nullptr;
    if (has_failed_) {
        for (auto& thread : threads_) {
            // The closure may live in watched memory, which is about to go: forget, do not destroy.
            new (&thread.body) std::move_only_function<void()>();
        }
    }
    allocation_watch::finish(has_failed_);
    return !has_failed_;
}

void execution::start_thread(std::size_t id) {
    if (!fibers_[id]) fibers_[id] = std::make_unique<fiber>(fiber_stack_bytes);
    fibers_[id]->prepare(&execution::enter, this);
    modelled_thread& thread = threads_[id];
    thread.has_yielded = thread.has_timed_out = false;
    thread.acquired.clear();
    thread.released.clear();
    thread.light.clear();
}

void execution::add_thread(std::string_view name, std::move_only_function<void()> body) {
    if (thread_count_ == max_threads) fail("the model has too many threads");
    std::size_t id = thread_count_++;
    {
        unwatched_scope engine;
        start_thread(id);
        threads_[id].name = name;
    }
    threads_[id].state = thread_state::ready;
    threads_[id].body = std::move(body);
}

void execution::join_threads() {
    std::size_t first = thread_count_;
    while (first > 1 && threads_[first - 1].state == thread_state::ready) --first;
    for (std::size_t id = first; id < thread_count_; ++id) {
        threads_[id].now = self().now;
        threads_[id].light = self().now.seen;
        threads_[id].now.before.set(id, 1);
        threads_[id].state = thread_state::runnable;
        ++unfinished_;
    }
    self().now.before.tick(running_);
    if (unfinished_ == 0) return;
    self().state = thread_state::joining;
    reschedule();
    for (std::size_t id = first; id < thread_count_; ++id) {
        self().now.join(threads_[id].now);
        threads_[id].body = nullptr;
    }
}

void execution::enter(void* argument) {
    auto* owner = static_cast<execution*>(argument);
    owner->run_thread(owner->self());
}

void execution::run_thread(modelled_thread& thread) {
    bool has_thrown = false;
    try {
        running_ == 0 ? (*body_)() : thread.body();
    } catch (...) {
        has_thrown = true;
    }
    if (has_thrown) fail("an exception left thread " + thread.name);
    finish_thread(thread);
}

void execution::finish_thread(modelled_thread& thread) {
    thread.state = thread_state::finished;
    if (running_ != 0) {
        if (--unfinished_ == 0) threads_[0].state = thread_state::runnable;
        reschedule();
    }
    if (thread_count_ > 1 && threads_[thread_count_ - 1].state == thread_state::ready) {
        fail("the model added threads and did not call finally() or join()");
    }
    if (limits_.finds_leaks && allocation_watch::live_blocks() != 0) {
        std::size_t bytes = allocation_watch::live_bytes();
        allocation_watch::is_on = false;
        fail("leak: " + std::to_string(allocation_watch::live_blocks()) + " blocks, " +
             std::to_string(bytes) + " bytes");
    }
    fiber::change(*fibers_[0], root_);
}

void execution::change_to(std::size_t id) {
    if (id == running_) return;
    fiber& from = *fibers_[running_];
    running_ = id;
    fiber::change(from, *fibers_[id]);
}

bool execution::is_eligible(std::size_t id) const {
    return threads_[id].state == thread_state::runnable && !threads_[id].has_yielded;
}

/// Adds the threads that may run next, the running one first; their number. May lift the yields.
std::size_t execution::add_runnable(action_list& actions) {
    bool is_bounded = choices_->is_bounded();
    bool goes_on = is_eligible(running_);
    if (goes_on) actions.add(running_, wake_reason::none);
    if (goes_on && is_bounded && preemptions_ >= limits_.preemptions) return 1;
    for (std::size_t id = 0; id < thread_count_; ++id) {
        if (id != running_ && is_eligible(id)) actions.add(id, wake_reason::none);
    }
    if (actions.size > 0) return actions.size;
    // Only threads that stepped back are left: all may go on, the one that did so last only alone.
    for (std::size_t id = 0; id < thread_count_; ++id) {
        if (id != running_ && threads_[id].state == thread_state::runnable) {
            actions.add(id, wake_reason::none);
        }
    }
    if (actions.size == 0 && self().state == thread_state::runnable) {
        actions.add(running_, wake_reason::none);
    }
    for (std::size_t i = 0; i < actions.size; ++i) threads_[actions.thread[i]].has_yielded = false;
    return actions.size;
}

void execution::add_wakes(action_list& actions) {
    bool is_spurious = spurious_ < limits_.spurious_wakes;
    bool is_early = early_ < limits_.early_timeouts;
    if (!is_spurious && !is_early) return;
    for (std::size_t id = 0; id < thread_count_; ++id) {
        const modelled_thread& thread = threads_[id];
        if (thread.state != thread_state::blocked) continue;
        if (is_spurious) actions.add(id, wake_reason::spurious);
        if (is_early && thread.deadline != INT64_MAX) actions.add(id, wake_reason::timeout);
    }
}

std::size_t execution::pick(const action_list& actions, std::size_t runnable) {
    bool current_is_first = runnable > 0 && actions.thread[0] == running_;
    return choices_->pick_thread({actions.thread.data(), actions.size}, runnable, current_is_first);
}

void execution::reschedule() {
    if (++steps_ > limits_.step_limit) fail("livelock: the step limit is reached");
    if (unfinished_ == 0) return change_to(0);
    if (steps_ > limits_.step_limit / 2) return change_to(next_fair());
    for (;;) {
        action_list actions;
        std::size_t runnable = add_runnable(actions);
        if (runnable == 0) {
            pass_time();
            continue;
        }
        bool could_go_on = actions.thread[0] == running_;
        bool may_leave = !choices_->is_bounded() || preemptions_ < limits_.preemptions;
        if (!could_go_on || may_leave) add_wakes(actions);
        std::size_t picked = pick(actions, runnable);
        std::size_t next = actions.thread[picked];
        wake(next, actions.reason[picked]);
        if (could_go_on && next != running_) ++preemptions_;
        return change_to(next);
    }
}

/// Turns of sixteen steps, in the order of the threads; no choice is left.
std::size_t execution::next_fair() {
    for (;;) {
        std::size_t start = running_ + (steps_ % 16 == 0 || !is_eligible(running_) ? 1 : 0);
        for (std::size_t i = 0; i < thread_count_; ++i) {
            std::size_t id = (start + i) % thread_count_;
            threads_[id].has_yielded = false;
            if (threads_[id].state == thread_state::runnable) return id;
        }
        pass_time();
    }
}

void execution::wake(std::size_t id, wake_reason why) {
    if (why == wake_reason::none) return;
    modelled_thread& thread = threads_[id];
    thread.state = thread_state::runnable;
    if (why == wake_reason::spurious) {
        ++spurious_;
        return;
    }
    ++early_;
    thread.has_timed_out = true;
    clock_ = std::max(clock_, thread.deadline);
}

/// Nobody can run: the next deadline passes, or the execution is stuck for ever.
void execution::pass_time() {
    std::int64_t next = INT64_MAX;
    for (std::size_t id = 0; id < thread_count_; ++id) {
        if (threads_[id].state == thread_state::blocked) {
            next = std::min(next, threads_[id].deadline);
        }
    }
    if (next == INT64_MAX) fail_deadlock();
    clock_ = std::max(clock_, next);
    for (std::size_t id = 0; id < thread_count_; ++id) {
        modelled_thread& thread = threads_[id];
        if (thread.state != thread_state::blocked || thread.deadline > clock_) continue;
        thread.state = thread_state::runnable;
        thread.has_timed_out = true;
    }
}

void execution::fail_deadlock() {
    allocation_watch::is_on = false;
    std::string what = "deadlock (lost wake-up):";
    for (std::size_t id = 0; id < thread_count_; ++id) {
        if (threads_[id].state != thread_state::blocked) continue;
        what += " " + threads_[id].name + " waits on " +
                name_of(locations_[threads_[id].waits_on].address) + ";";
    }
    what.pop_back();
    fail(what);
}

void execution::world_changed() {
    for (std::size_t id = 0; id < thread_count_; ++id) {
        if (id != running_) threads_[id].has_yielded = false;
    }
}

void execution::yield(site where) {
    note(where, [] { return std::string("relax"); });
    self().has_yielded = true;
    reschedule();
    self().has_yielded = false;
}

bool execution::futex_wait(handle word, std::uint32_t expected, std::int64_t deadline, site where) {
    reschedule();
    location& at = access(word, where);
    // The kernel compares under its own lock: it reads the newest value, and a waker that changed
    // the word before the comparison is seen, one that changes it later finds this thread queued.
    auto newest = static_cast<stamp>(at.stores.size() - 1);
    modelled_thread& thread = self();
    thread.now.seen.raise(word.id, newest);
    auto value = static_cast<std::uint32_t>(at.stores[newest].value);
    note(where, [&] {
        return "futex wait " + name_of(word.address) + " == " + text_of(std::uint64_t{expected}) +
               ", is " + text_of(std::uint64_t{value});
    });
    if (value != expected) return true;
    if (deadline <= clock_) return false;
    thread.state = thread_state::blocked;
    thread.waits_on = word.id;
    thread.deadline = deadline;
    thread.has_timed_out = false;
    reschedule();
    note(where, [&] {
        return std::string("futex wait ends") + (thread.has_timed_out ? ": timed out" : "");
    });
    return !thread.has_timed_out;
}

void execution::futex_wake(handle word, int count, site where) {
    reschedule();
    access(word, where);
    const int woken = wake_waiters(word, count);
    note(where, [&] {
        return "futex wake " + name_of(word.address) + ", " + std::to_string(woken) + " woken";
    });
}

void execution::unlock(handle word, site where) {
    store(word, 0, std::memory_order_release, where);
    wake_waiters(word, 1);
}

int execution::wake_waiters(handle word, int count) {
    int woken = 0;
    for (; woken < count; ++woken) {
        std::array<std::uint8_t, max_threads> waiters{};
        std::size_t waiting = 0;
        for (std::size_t id = 0; id < thread_count_; ++id) {
            bool waits = threads_[id].state == thread_state::blocked;
            if (waits && threads_[id].waits_on == word.id) {
                waiters[waiting++] = static_cast<std::uint8_t>(id);
            }
        }
        if (waiting == 0) break;
        threads_[waiters[choices_->pick(waiting)]].state = thread_state::runnable;
    }
    return woken;
}

}  // namespace weft::model
