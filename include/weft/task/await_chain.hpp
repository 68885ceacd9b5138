// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a task does at the moment, and what it waits for: for people who ask why nothing happens.
// Nothing here is kept up to date: whoever asks looks at the task, which is kept from going on for
// the few hundred nanoseconds that this takes and is otherwise left alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "weft/task/task.hpp"

namespace weft {

enum class task_phase : std::uint8_t {
    ready,    ///< queued, or on its way there; also one whose when_all children run
    running,  ///< a worker runs it, or runs what it awaits in its place
    waiting,
    done,
};

/// A task that another one waits for.
struct awaited_task {
    std::uint64_t id = 0;
    std::string name{};
};

/// Where a line of execution stands: the coroutines that await each other, and what the innermost
/// of them waits for. A task is one line; each child of a when_all or when_any that waits is
/// another, and so is a clean-up that is not to be interrupted.
struct await_point {
    /// The coroutine functions, the outermost first. For what does not wait: the outermost alone.
    std::vector<std::source_location> coroutines{};
    /// "timer", "io_read", "join" and their like; empty for what does not wait.
    std::string_view waits_for{};
    /// Tasks that are not done and have to end before it goes on, or the one that has the strand
    /// that it waits for, or those that have the turns of a group for which it waits.
    std::vector<awaited_task> tasks{};
    /// Futures, likewise: where their promises were made. Whoever has those is not known.
    std::vector<std::source_location> futures{};
    /// It is enough if one of them ends.
    bool one_is_enough = false;
    /// The same if that one fails, else all of them have to end.
    bool one_failure_is_enough = false;
    /// A timer will end the wait, or will ask it to stop: it has a time limit, or lies in a scope
    /// that has one.
    bool has_limit = false;
    /// What is not named here may end the wait: a timer, a descriptor, another thread; where one is
    /// enough also a child that does not wait, a future, or a task that has just ended.
    bool is_open = false;
    /// The children of its when_all or when_any that wait. One that runs, is ready or has not begun
    /// is not there.
    std::vector<await_point> children{};
    /// There was more than there was room for: 512 coroutines, tasks and children in all. What is
    /// missing of `coroutines` are the outermost.
    bool is_cut = false;
};

/// One task as it was when somebody looked.
struct task_description {
    std::uint64_t id = 0;
    std::string name{};
    /// The coroutine function that it runs.
    std::source_location location{};
    task_phase phase = task_phase::done;
    /// The worker that runs it, if one does.
    std::optional<unsigned> worker{};
    weft::priority priority = weft::priority::normal;
    /// It was created at least so long ago. Short by an eighth at most, and by what its creator's
    /// worker then ran without a pause.
    std::chrono::nanoseconds age{};
    /// Requests to stop that nobody has taken back: see any_task::cancelling().
    std::uint32_t cancel_requests = 0;
    /// A task awaits it, or it has done-callbacks.
    bool is_awaited = false;
    await_point at{};
};

/// What any_task::await_chain() gives.
struct await_chain {
    /// The task itself, then the one that it waits for, and so on while it is one that each waits
    /// for. They were looked at one after the other, so some may have gone on meanwhile.
    std::vector<task_description> tasks{};
    /// The last task waits for one that comes before it. Whether they all waited at one moment, and
    /// so will for ever, find_deadlocks() makes sure of.
    bool is_circle = false;

    /// The coroutine functions of all tasks in turn: from the outermost of the first to what the
    /// last one waits in.
    [[nodiscard]] std::vector<std::source_location> locations() const;
};

/// `ready`, `running`, `waiting`, `done`.
[[nodiscard]] std::string_view to_text(task_phase phase) noexcept;
/// One line for the task and one for each coroutine, and what it waits for; each ends in a newline.
[[nodiscard]] std::string to_text(const task_description& task);
/// The chain in one line.
[[nodiscard]] std::string to_text(const await_chain& chain);

}  // namespace weft
