// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task_history.hpp"

#include <algorithm>

#include "weft/trace/layout.hpp"

namespace weft::tracetool {

using trace::event;
using trace::recorded_event;

namespace {

auto values(const recorded_event& e) { return trace::unpack(trace::layout_of(e.id), e.payload); }

}  // namespace

task_history::task_history(const trace::trace_file& file, history_listener& listener)
    : file_(file), listener_(listener), streams_(file.emitters.size()) {}

void task_history::walk() {
    file_.for_each([&](const recorded_event& e) { visit(e); });
    for (std::uint32_t i = 0; i < streams_.size(); ++i) end_run(i, last_, false);
}

void task_history::visit(const recorded_event& e) {
    const std::uint64_t now = std::max(file_.to_monotonic(e.ticks), last_);
    if (first_ == 0) first_ = now;
    last_ = now;
    if (e.lost > 0) end_run(e.emitter, now, false);  // what ran in the gap is not known
    listener_.record(e, now);
    switch (e.id) {
        case event::task_create:
            return on_create(e, now);
        case event::task_run:
            return on_run(e, now);
        case event::task_suspend:
        case event::task_finish:
            return on_stop(e, now);
        case event::task_wake:
            return on_wake(e, now);
        case event::task_cancel:
            return on_cancel(e, now);
        default:
            return;
    }
}

task_record& task_history::find(trace::task_id id, std::uint64_t now) {
    const auto [place, is_new] = tasks_.try_emplace(id);
    if (is_new) {  // made before the recording, or in a gap
        place->second.id = id;
        place->second.since = now;
    }
    return place->second;
}

void task_history::on_create(const recorded_event& e, std::uint64_t now) {
    const auto fields = values(e);
    task_record& task = find(fields[0], now);
    task.type = static_cast<std::uint32_t>(fields[1]);
    if (!task.has_run) {  // a stamp of another thread may come first by a few nanoseconds
        task.since = now;
        task.has_wake = true;
        task.flow = ++flows_;
    }
    listener_.created(task, e, now);
}

void task_history::on_run(const recorded_event& e, std::uint64_t now) {
    const auto fields = values(e);
    end_run(e.emitter, now, false);
    task_record& task = find(fields[0], now);
    const bool knows_delay = task.has_wake;
    const std::uint64_t delay = knows_delay ? now - task.since : 0;
    task.state = task_state::running;
    task.since = now;
    task.run = static_cast<unsigned>(fields[1]);
    task.has_run = true;
    task.has_wake = false;
    task.emitter = e.emitter;
    streams_[e.emitter] = {task.id, true};
    listener_.run_begins(task, e, now, delay, knows_delay);
    task.flow = 0;
}

void task_history::end_run(std::uint32_t emitter, std::uint64_t now, bool suspended) {
    stream& here = streams_[emitter];
    if (!here.has_current) return;
    here.has_current = false;
    const auto found = tasks_.find(here.current);
    if (found == tasks_.end()) return;
    task_record& task = found->second;
    if (task.state != task_state::running || task.emitter != emitter) return;
    const std::uint64_t started = task.since;
    task.state = task.has_wake ? task_state::ready : task_state::waiting;
    task.since = now;
    listener_.run_ends(task, now, started, suspended);
}

void task_history::on_stop(const recorded_event& e, std::uint64_t now) {
    const auto fields = values(e);
    const stream here = streams_[e.emitter];
    if (!here.has_current) return;
    task_record& task = find(here.current, now);
    const bool suspended = e.id == event::task_suspend;
    if (suspended) {
        task.reason = static_cast<unsigned>(fields[0]);
        task.site = static_cast<std::uint32_t>(fields[1]);
    }
    end_run(e.emitter, now, suspended);
    if (suspended) return;
    listener_.finished(task, e, now);
    tasks_.erase(here.current);
}

void task_history::on_wake(const recorded_event& e, std::uint64_t now) {
    const auto fields = values(e);
    task_record& task = find(fields[0], now);
    if (task.has_run && task.run == fields[1]) {
        // The run that this wake-up led to has an earlier stamp: the clocks of two processors
        // differ by less than a wake-up lasts. The run number tells the true order.
        ++repairs_;
        task_record early = task;
        early.flow = 0;
        listener_.woken(early, e, now, 0, false);
        return;
    }
    // A task may be woken while it still runs, on its way into the suspension.
    const bool knows_wait = task.state == task_state::waiting;
    const std::uint64_t waited = knows_wait ? now - task.since : 0;
    task.flow = ++flows_;
    task.has_wake = true;
    if (task.state != task_state::running) {
        task.state = task_state::ready;
        task.since = now;
    }
    listener_.woken(task, e, now, waited, knows_wait);
}

void task_history::on_cancel(const recorded_event& e, std::uint64_t now) {
    task_record& task = find(values(e)[0], now);
    task.cancel_requested = true;
    task.cancelled_at = now;
    listener_.cancel_requested(task, e, now);
}

namespace {

/// Where the bracket begins that the last character closes; npos if it closes none.
std::size_t find_opening(std::string_view text, char opening, char closing) {
    if (!text.ends_with(closing)) return std::string_view::npos;
    int depth = 0;
    for (std::size_t at = text.size(); at-- > 0;) {
        if (text[at] == closing) ++depth;
        if (text[at] == opening && --depth == 0) return at;
    }
    return std::string_view::npos;
}

/// What create_task(callable, arguments...) was given, read from its wrapper's template arguments;
/// empty if they look otherwise.
std::string_view wrapped_callable(std::string_view arguments) {
    const std::string_view mark = "F = ";
    const std::size_t begin = arguments.find(mark);
    const std::size_t end = std::min(arguments.find(", Args = "), arguments.find("; Args = "));
    if (begin == std::string_view::npos || end == std::string_view::npos) return {};
    return arguments.substr(begin + mark.size(), end - begin - mark.size());
}

}  // namespace

// g++ appends ` [with T = int; ...]` to a template's name, clang ` [T = int, ...]`.
std::string short_name(const std::string& function) {
    std::string_view name = function;
    if (const std::size_t at = find_opening(name, '[', ']'); at != std::string_view::npos) {
        if (name.contains("weft::detail::invoke_in_frame")) {
            if (const auto callable = wrapped_callable(name.substr(at)); !callable.empty())
                return std::string(callable);
        }
        name = name.substr(0, at);
        while (name.ends_with(' ')) name.remove_suffix(1);
    }
    for (const std::string_view suffix : {" const", " noexcept", " mutable"}) {
        if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
    }
    if (const std::size_t at = find_opening(name, '(', ')'); at != std::string_view::npos)
        name = name.substr(0, at);
    int depth = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '<' || name[i] == '(') ++depth;
        if (name[i] == '>' || name[i] == ')') --depth;
        if (name[i] == ' ' && depth == 0) start = i + 1;
    }
    name.remove_prefix(start);
    return std::string(name.empty() ? std::string_view(function) : name);
}

std::string type_name(const trace::trace_file& file, std::uint32_t type) {
    const auto* location = file.location(trace::id_space::type, type);
    if (location != nullptr) return short_name(location->function);
    if (type == trace::other_type) return "(other types)";
    return type == 0 ? "(unknown)" : "type " + std::to_string(type);
}

}  // namespace weft::tracetool
