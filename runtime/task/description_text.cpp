// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Descriptions of tasks for people to read.

#include <array>
#include <chrono>
#include <cstddef>

#include "task/describe.hpp"
#include "weft/task/await_chain.hpp"

namespace weft {

namespace detail {

std::string place_of(const std::source_location& coroutine) {
    const std::string_view file = coroutine.file_name();
    std::string text = coroutine.function_name();
    text += " at ";
    text += file.substr(file.rfind('/') + 1);  // npos + 1 is 0
    return text += ":" + std::to_string(coroutine.line());
}

}  // namespace detail

namespace {

using detail::place_of;

/// The name, and the id where that does not say it.
std::string title(std::uint64_t id, const std::string& name) {
    const std::string number = std::to_string(id);
    return name == "Task-" + number ? name : name + " (task " + number + ")";
}

std::string awaited_by(const await_point& at) {
    const std::size_t count = at.children.size();
    if (count != 0) return std::to_string(count) + (count == 1 ? " child" : " children");
    std::string text;
    const char* between = "";
    for (const awaited_task& each : at.tasks) {
        text += between + title(each.id, each.name);
        between = ", ";
    }
    for (const auto& promised : at.futures) {
        text += between + ("a future of " + place_of(promised));
        between = ", ";
    }
    return text;
}

/// After "waits for"; of what waits.
std::string reason_of(const await_point& at) {
    std::string text{at.waits_for};
    if (const std::string named = awaited_by(at); !named.empty()) {
        text = at.waits_for == "join" ? "" : text + " held by ";
        text += (at.one_is_enough ? "one of " : "") + named;
    }
    if (at.one_failure_is_enough) text += " (or one that fails)";
    if (at.has_limit) text += " (with a time limit)";
    return text;
}

void append_point(std::string& text, const await_point& at, std::size_t indent) {
    const std::string margin(indent, ' ');
    if (at.is_cut) text += margin + "...\n";
    for (const auto& coroutine : at.coroutines) text += margin + place_of(coroutine) + "\n";
    for (const await_point& child : at.children) {
        text += margin + "child that waits for " + reason_of(child) + "\n";
        append_point(text, child, indent + 4);
    }
}

std::string state_of(const task_description& task) {
    switch (task.phase) {
        case task_phase::waiting:
            return " waits for " + reason_of(task.at);
        case task_phase::running:
            return " runs" + (task.worker ? " on worker " + std::to_string(*task.worker) : "");
        case task_phase::ready:
            return " is ready";
        case task_phase::done:
            break;
    }
    return " is done";
}

long long in_ms(std::chrono::nanoseconds time) noexcept {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

}  // namespace

std::string_view to_text(task_phase phase) noexcept {
    constexpr std::array<std::string_view, 4> words{"ready", "running", "waiting", "done"};
    return words[static_cast<std::size_t>(phase)];
}

std::string to_text(const task_description& task) {
    std::string text = title(task.id, task.name) + state_of(task);
    if (task.cancel_requests != 0) text += ", asked to stop";
    if (task.phase != task_phase::done) text += ", " + std::to_string(in_ms(task.age)) + " ms old";
    text += "\n";
    append_point(text, task.at, 4);
    return text;
}

std::string to_text(const await_chain& chain) {
    std::string text;
    for (const task_description& task : chain.tasks) {
        if (!text.empty()) text += " > ";
        text += title(task.id, task.name) + ": ";
        if (task.at.is_cut) text += "... > ";
        const char* between = "";
        for (const auto& coroutine : task.at.coroutines) {
            text += between + place_of(coroutine);
            between = " > ";
        }
    }
    if (chain.tasks.empty()) return text;
    const task_description& last = chain.tasks.back();
    if (last.phase != task_phase::waiting) return text + "," + state_of(last);
    return text + " > " + reason_of(last.at);
}

}  // namespace weft
