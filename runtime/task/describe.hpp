// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Descriptions of tasks, from what looks at them have noted.
#pragma once

#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "task/look.hpp"
#include "weft/ports/ports.hpp"
#include "weft/task/await_chain.hpp"

namespace weft::detail {

/// The live tasks of a runtime, with a reference each, found by their ids.
class live_tasks {
public:
    live_tasks() noexcept = default;
    /// Throws std::bad_alloc.
    explicit live_tasks(runtime_port& of);
    live_tasks(live_tasks&&) noexcept = default;
    live_tasks& operator=(live_tasks&&) noexcept = default;

    [[nodiscard]] std::span<const any_task> all() const noexcept { return tasks_; }
    /// Null: it has ended, or began later.
    [[nodiscard]] task_state* find(std::uint64_t id) const noexcept;
    /// What is known of it without.
    [[nodiscard]] std::string name_of(std::uint64_t id) const;

private:
    std::vector<any_task> tasks_;
    std::unordered_map<std::uint64_t, task_state*> by_id_;
};

/// Looks at tasks of one runtime and describes them. Any thread; throws std::bad_alloc.
class task_describer {
public:
    task_describer();
    /// Learns what is alive now. Before that it can describe what is done.
    void survey(runtime_port& of);

    [[nodiscard]] const live_tasks& live() const noexcept { return live_; }
    [[nodiscard]] task_description describe(task_state& task);
    /// Of the last one that was described; 0 if it did not wait.
    [[nodiscard]] std::uint64_t stamp() const noexcept { return stamp_; }

private:
    [[nodiscard]] await_point point_from(const look_notes::note*& at) const;

    runtime_port* runtime_ = nullptr;  // once surveyed
    live_tasks live_;
    std::vector<running_task> running_;
    std::unique_ptr<look_notes> notes_;
    std::uint64_t stamp_ = 0;
};

/// Follows what `first` waits for.
[[nodiscard]] await_chain follow(task_describer& with, task_state& first);

/// The function, the name of its file, and the line.
[[nodiscard]] std::string place_of(const std::source_location& coroutine);

}  // namespace weft::detail
