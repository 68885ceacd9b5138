// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the tests of the graph of who waits for whom share.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/sched/task_dump.hpp"

namespace weft::test {

using names = std::set<std::string>;

inline names names_of(const await_point& at) {
    names all;
    for (const awaited_task& each : at.tasks) all.insert(each.name);
    return all;
}

/// As it is once it waits for something else than a gate, in a dump that began after that: so the
/// names of what it waits for are known.
inline coro<task_description> told_once_it_waits(const any_task& t) {
    for (bool waited = false;;) {
        std::vector<task_description> all = dump_tasks();
        const auto found = std::ranges::find(all, t.id(), &task_description::id);
        if (found != all.end() && found->phase == task_phase::waiting &&
            found->at.waits_for != "event") {
            if (std::exchange(waited, true)) co_return std::move(*found);
        }
        co_await yield();
    }
}

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

inline coro<> waits_for(std::vector<task<>> tasks, wait_options options) {
    const auto result = co_await wait(std::move(tasks), options);
    static_cast<void>(result);
}

inline coro<> waits_for(const task<>& one, return_when when) {
    return waits_for(std::vector<task<>>{one}, wait_options{.return_when = when});
}

inline coro<> waits_for(const task<>& one, const task<>& two, return_when when) {
    return waits_for(std::vector<task<>>{one, two}, wait_options{.return_when = when});
}

inline coro<> takes_a_ticket(std::vector<task<>> tasks) {
    auto done = as_completed(std::move(tasks));
    co_await done[0];
}

inline coro<> takes_a_ticket(const task<>& one) { return takes_a_ticket(std::vector<task<>>{one}); }

inline coro<> takes_the_next(std::vector<task<>> tasks) {
    auto done = as_completed(std::move(tasks), std::chrono::hours{1});
    const auto first = co_await done.next();
    static_cast<void>(first);
}

inline coro<> joins(task<> other) { co_await other; }

inline coro<> races(task<> one, task<> two) { co_await when_any(joins(one), joins(two)); }

inline coro<> reports_late(task_status<>& status, gate& g) {
    co_await g;
    status.started();
}

}  // namespace weft::test
