// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How the watchdog names a task that keeps its worker: it takes a reference to what runs there, and
// sees that the worker has made no step meanwhile.

#include <cstdio>
#include <new>

#include "sched/runtime_core.hpp"
#include "sched/watchdog.hpp"
#include "weft/task/task.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

namespace {

constexpr nanoseconds between_reports{100'000'000};
constexpr std::size_t longest_chain = 16;

std::string place_of(const any_task& task) {
    const std::source_location where = task.location();
    return task.name() + " (" + where.function_name() + ")";
}

any_task handle_of(task_state& task) noexcept {
    task.retain();
    return task_access::adopt(&task);
}

std::string sentence(const slow_run& what, const std::string& place) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(what.held).count();
    std::string text = place + (what.blocked ? " has blocked worker " : " has kept worker ") +
                       std::to_string(what.worker) +
                       (what.blocked ? " in a system call for " : " computing for ") +
                       std::to_string(ms) + " ms";
    const char* link = "; awaited by ";
    for (const std::string& name : what.awaited_by) {
        text += link + name;
        link = ", by ";
    }
    return text;
}

}  // namespace

/// Once for each run. Whoever only waits for a core is not to blame.
void watchdog::name_if_slow(worker& stuck, sight& last, time_point now) noexcept {
    const nanoseconds limit = core_.options().slow_run;
    const nanoseconds held = now - last.since;
    if (limit == nanoseconds::zero() || held < limit || last.reported) return;
    if (now - last_report_ < between_reports) return;  // a later look will
    slow_run what;
    const bool computes = stuck.processor_time.used() - last.used >= limit / 2;
    what.blocked = !computes && stuck.processor_time.is_blocked().value_or(false);
    if (!computes && !what.blocked) return;
    what.worker = stuck.index();
    what.held = held;
    try {
        if (!describe(stuck, last, what)) return;
        last.reported = true;
        last_report_ = now;
        trace::long_run(trace_, what.task_id,
                        static_cast<std::uint64_t>(held / std::chrono::milliseconds{1}));
        report(what);
    } catch (const std::bad_alloc&) {
        return;  // the process has no memory left to say so
    }
}

/// False if the worker has come further.
bool watchdog::describe(worker& stuck, const sight& last, slow_run& what) {
    any_task task;
    any_task direct;  // awaits it directly, and is in no list
    {
        std::lock_guard guard{core_.visiting};
        stuck.current.visit([&](const runnable& running, const task_join* await) {
            task = handle_of(*running.owner);
            if (await != nullptr && await->is_for(running))
                direct = handle_of(*await->awaiting().owner);
        });
    }
    // Counted before it is in the slot: the same progress means the same run.
    if (!task || stuck.progress() != last.progress) return false;
    what.task_name = task.name();
    what.task_id = task.id();
    what.location = task.location();
    const std::string place = place_of(task);
    while (what.awaited_by.size() < longest_chain) {
        any_task next = std::exchange(direct, {});
        if (!next) next = task_access::adopt(task_access::state(task)->oldest_awaiter());
        if (!next) break;
        task = std::move(next);
        what.awaited_by.push_back(place_of(task));
    }
    what.message = sentence(what, place);
    return true;
}

void watchdog::report(const slow_run& what) noexcept {
    std::lock_guard guard{handler_mutex_};
    const std::shared_ptr<const slow_run_handler> handler = handler_;  // it may replace itself
    if (handler == nullptr) {
        std::fprintf(stderr, "weft: %s\n", what.message.c_str());
        return;
    }
    try {
        (*handler)(what);
    } catch (...) {
        std::fprintf(stderr, "weft: error in the handler for slow runs; it was told: %s\n",
                     what.message.c_str());
    }
}

}  // namespace weft::detail
