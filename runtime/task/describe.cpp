// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/describe.hpp"

#include <algorithm>
#include <unordered_set>

#include "ports/live_runtimes.hpp"
#include "weft/trace/layout.hpp"

namespace weft::detail {

namespace {

/// The word that traces have for it.
std::string_view word_for(trace::suspend_reason why) noexcept {
    std::string_view words = trace_layouts::reason.values;
    for (auto skip = static_cast<unsigned>(why); skip > 0 && !words.empty(); --skip) {
        words.remove_prefix(std::min(words.find(' '), words.size() - 1) + 1);
    }
    return words.substr(0, words.find(' '));
}

/// Alone, without what it waits for.
await_point outermost_of(const task_state& task) {
    await_point at;
    at.coroutines.push_back(task.location());
    return at;
}

}  // namespace

live_tasks::live_tasks(runtime_port& of) {
    std::vector<task_state*> found = of.live_tasks();
    try {
        tasks_.reserve(found.size());
    } catch (...) {
        for (task_state* task : found) task->drop();
        throw;
    }
    for (task_state* task : found) tasks_.push_back(task_access::adopt(task));
    by_id_.reserve(found.size());
    for (task_state* task : found) by_id_.emplace(task->id(), task);
}

task_state* live_tasks::find(std::uint64_t id) const noexcept {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

std::string live_tasks::name_of(std::uint64_t id) const {
    const task_state* const task = find(id);
    return task != nullptr ? task->name() : "Task-" + std::to_string(id);
}

task_describer::task_describer() : notes_(std::make_unique_for_overwrite<look_notes>()) {}

void task_describer::survey(runtime_port& of) {
    // As in a request to cancel: whoever awaits the task that runs here is to be seen waiting.
    if (worker_port* here = this_worker()) publish_direct_await(*here);
    runtime_ = &of;
    live_ = live_tasks(of);
    running_ = of.running_tasks();
}

task_description task_describer::describe(task_state& task) {
    task_description told{.id = task.id(), .name = task.name(), .location = task.location()};
    told.priority = task.priority();
    stamp_ = 0;
    if (task.is_done()) {
        told.at = outermost_of(task);
        return told;
    }
    told.age = runtime_->least_age(task);
    told.is_awaited = task.has_awaiters();
    told.cancel_requests = task.lifecycle.cancelling();
    if (notes_->take(task)) {
        const look_notes::note* at = notes_->begin();
        told.phase = task_phase::waiting;
        told.at = point_from(at);
        told.at.is_cut = notes_->is_cut();
        stamp_ = notes_->stamp();
        return told;
    }
    const auto runs = std::ranges::find(running_, told.id, &running_task::id);
    told.phase = runs != running_.end() ? task_phase::running : task_phase::ready;
    if (told.phase == task_phase::running) {
        told.worker = runs->worker;
        told.is_awaited = told.is_awaited || runs->is_awaited;
    }
    told.at = outermost_of(task);
    return told;
}

/// One line of execution, with its children; `at` is left behind it.
await_point task_describer::point_from(const look_notes::note*& at) const {
    using kind = look_notes::kind;
    await_point point;
    for (; at->what == kind::coroutine; ++at) point.coroutines.push_back(at->place);
    std::ranges::reverse(point.coroutines);
    point.waits_for = word_for(at++->why);
    point.one_is_enough = at->what == kind::one_of;
    point.one_failure_is_enough = at->what == kind::all_unless_one_fails;
    point.has_limit = at->has_limit;
    point.is_open = at++->is_open;
    for (; at != notes_->end() && at->what != kind::end_of_child;) {
        if (at->what == kind::child) {
            point.children.push_back(point_from(++at));
            ++at;  // its end
        } else if (at->what == kind::future) {
            point.futures.push_back(at++->place);
        } else {
            const std::uint64_t id = at++->task;
            point.tasks.push_back({id, live_.name_of(id)});
        }
    }
    return point;
}

await_chain follow(task_describer& with, task_state& first) {
    await_chain chain;
    std::unordered_set<std::uint64_t> seen;
    for (task_state* task = &first; task != nullptr;) {
        seen.insert(task->id());
        chain.tasks.push_back(with.describe(*task));
        const auto& awaited = chain.tasks.back().at.tasks;
        if (awaited.size() != 1) break;
        const std::uint64_t next = awaited.front().id;
        chain.is_circle = seen.contains(next);
        task = chain.is_circle ? nullptr : with.live().find(next);
    }
    return chain;
}

}  // namespace weft::detail

namespace weft {

weft::await_chain any_task::await_chain() const {
    detail::task_state& first = state();
    detail::task_describer with;  // outlives the visit: values that go with it are the user's
    const detail::live_runtime alive{&first.runtime()};
    if (alive.get() != nullptr) with.survey(*alive.get());
    return detail::follow(with, first);
}

std::vector<std::source_location> await_chain::locations() const {
    std::vector<std::source_location> all;
    for (const task_description& task : tasks) {
        all.insert(all.end(), task.at.coroutines.begin(), task.at.coroutines.end());
    }
    return all;
}

}  // namespace weft
