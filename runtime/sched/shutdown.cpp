// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The shutdown phase, on a thread that is no worker: cancel every live task, wait for that
// snapshot, report what failed; again until none is left; then no task is accepted any more, and
// the workers are stopped. Tasks that a dying task starts run normally until the next round.
// Callbacks go on all that time, since tasks may wait for them. Once only callbacks are left, those
// that are ready are called, those whose time has not come are dropped, and so is what they
// schedule in their turn, or a callback that always schedules itself would never let this end.

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sched/completion_latch.hpp"
#include "sched/runtime_core.hpp"
#include "task/describe.hpp"
#include "weft/error.hpp"
#include "weft/task/callback.hpp"

namespace weft::detail {

namespace {

time_point deadline_of(nanoseconds timeout) noexcept {
    time_point now = real_environment::now();
    return timeout >= time_point::max() - now ? time_point::max() : now + timeout;
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

/// Tasks with a reference each, which go whatever throws.
class held_tasks {
public:
    explicit held_tasks(std::vector<task_state*> tasks) noexcept : tasks_(std::move(tasks)) {}
    held_tasks(const held_tasks&) = delete;
    held_tasks& operator=(const held_tasks&) = delete;
    ~held_tasks() {
        for (task_state* task : tasks_) task->drop();
    }
    [[nodiscard]] auto begin() const noexcept { return tasks_.begin(); }
    [[nodiscard]] auto end() const noexcept { return tasks_.end(); }

private:
    std::vector<task_state*> tasks_;
};

bool is_callback(task_state* task) noexcept { return callback_state::from(*task) != nullptr; }

void report_failure(failure_sink& sink, task_state& task) {
    if (!task.is_done() || task.outcome() != task_state::outcome_kind::error) return;
    if (!task.claim_observation()) return;  // somebody saw it
    failure what{failure::kind::during_shutdown, task.name(), task.error(), {}};
    what.message = "exception in " + what.task_name + " during shutdown: " + text_of(task.error());
    sink.report(what);
}

}  // namespace

void runtime_core::close() {
    refuse_copy();
    if (own_worker(this_worker()) != nullptr) {
        throw usage_error(
            "a runtime cannot be closed or destroyed by one of its own tasks: return from the main "
            "task instead");
    }
    if (watch.is_this_thread() || dumper.is_this_thread()) {
        throw usage_error("a runtime cannot be closed by its own handler for slow runs or dumps");
    }
    std::lock_guard guard{close_mutex_};  // a second caller returns when the first one does
    if (closed_) return;
    closing_.store(true, std::memory_order_relaxed);  // hint, no edge
    time_point deadline = deadline_of(options_.shutdown_timeout);
    if (options_.report_unawaited) report_unawaited();
    while (!registry_.try_close()) {
        if (!stop_round(deadline)) {
            report_stuck();
            abandoned_ = true;
            break;
        }
    }
    closed_ = true;
    if (abandoned_) {
        watch.stop();  // its handler may go now
        dumper.stop();
    } else {
        stop_threads();
    }
}

/// Cancels and awaits what is alive now; false if the deadline passed.
bool runtime_core::stop_round(time_point deadline) {
    auto latch = std::make_shared<completion_latch>();
    const held_tasks live{registry_.snapshot()};
    const bool drops_callbacks = std::ranges::all_of(live, is_callback);
    // A callback that is not among these sees it: the registry's lock lies between the two.
    const bool dropped_before = drops_callbacks_.exchange(
        drops_callbacks, std::memory_order_relaxed);  // the registry's lock: the edge
    if (drops_callbacks && !dropped_before) return true;
    reason_ref why = make_reason("the runtime is closing", std::source_location::current());
    for (task_state* task : live) {
        if (drops_callbacks || !is_callback(task)) latch->watch(*task);
    }
    const time_point now = real_environment::now();
    for (task_state* task : live) {
        const callback_state* callback = callback_state::from(*task);
        const bool is_early = drops_callbacks && callback != nullptr && callback->when() > now;
        if (!task->hidden || is_early) request_cancel(*task, why);
    }
    bool in_time = latch->wait_until_open(deadline);
    for (task_state* task : live) report_failure(*failures_, *task);
    return in_time;
}

void runtime_core::report_stuck() noexcept {
    report_live(
        failure::kind::stuck, [](const task_description&) { return true; },
        " did not stop before the shutdown deadline and is left behind: ");
}

void runtime_core::report_unawaited() noexcept {
    report_live(
        failure::kind::not_awaited, [](const task_description& t) { return !t.is_awaited; },
        " is awaited by nobody and is stopped with its runtime: ");
}

/// Each live task that `is_meant`.
void runtime_core::report_live(failure::kind kind, bool (*is_meant)(const task_description&),
                               const char* sentence) noexcept {
    try {
        task_describer with;
        with.survey(*this);
        for (const any_task& each : with.live().all()) {
            task_state& task = *task_access::state(each);
            // Nobody can await a callback.
            const bool may_be_stuck = kind == failure::kind::stuck && is_callback(&task);
            if (task.hidden && !may_be_stuck) continue;
            failure what{kind, task.name(), nullptr, {}, follow(with, task)};
            const task_description& told = what.chain.tasks.front();
            if (told.phase == task_phase::done || !is_meant(told)) continue;
            what.message = what.task_name + sentence + to_text(what.chain);
            failures_->report(what);
        }
    } catch (const std::bad_alloc&) {
        return;  // the process has no memory left to say more
    }
}

}  // namespace weft::detail
