// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sched/task_dump.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "sched/runtime_core.hpp"
#include "task/describe.hpp"

namespace weft {

namespace detail {

std::vector<running_task> runtime_core::running_tasks() {
    std::vector<running_task> found;
    found.reserve(2 * std::size_t{capacity_});  // a look does not allocate
    std::lock_guard guard{visiting};
    for (const auto& w : workers()) {
        w->current.visit([&](const runnable& running, const task_join* await) noexcept {
            const bool is_awaited = await != nullptr && await->is_for(running);
            found.push_back({running.owner->id(), w->index(), is_awaited});
            if (is_awaited) found.push_back({await->awaiting().owner->id(), w->index(), false});
        });
    }
    return found;
}

nanoseconds runtime_core::least_age(const task_state& task) noexcept {
    const time_point now = env::now();
    time_point by = now;
    for (const auto& w : workers()) {
        std::optional<time_point> noted;
        if (task.registry_shard == registry_.nobody())
            noted = w->births().foreign(task.id());
        else if (task.registry_shard == w->index())
            noted = w->births().own(task.id());
        by = std::min(by, noted.value_or(now));
    }
    return now - by;
}

std::vector<task_description> dump_tasks_of(runtime_port& of) {
    task_describer with;
    with.survey(of);
    std::vector<task_description> told;
    told.reserve(with.live().all().size());
    for (const any_task& each : with.live().all()) {
        task_state& task = *task_access::state(each);
        if (task.hidden) continue;
        told.push_back(with.describe(task));
        if (told.back().phase == task_phase::done) told.pop_back();
    }
    std::ranges::sort(told, {}, &task_description::id);
    return told;
}

}  // namespace detail

std::vector<task_description> dump_tasks() {
    return detail::dump_tasks_of(detail::worker_for_create_task().runtime());
}

std::vector<task_description> dump_tasks(const runtime& target) {
    return detail::dump_tasks_of(detail::runtime_access::port(target));
}

std::string to_text(std::span<const task_description> tasks) {
    std::string text;
    for (const task_description& task : tasks) text += to_text(task);
    return text;
}

}  // namespace weft
