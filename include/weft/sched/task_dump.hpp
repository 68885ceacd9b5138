// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What every task of a runtime does and waits for, and who waits for each other in a circle. For
// people and for tools: dumps cost an allocation or more for each task. What they look at goes on
// meanwhile: each task is looked at for itself, and kept from going on only for that long, so two
// tasks of one dump were not seen at the same moment.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "weft/task/await_chain.hpp"

namespace weft {

class runtime;

/// Every live task of the current runtime, in the order of their ids. Throws usage_error outside a
/// task, std::bad_alloc.
[[nodiscard]] std::vector<task_description> dump_tasks();
/// The same for `target`, from any thread, its own workers included; not once it is closed. It
/// takes no lock for long, so it may be asked while every worker is kept by a task.
[[nodiscard]] std::vector<task_description> dump_tasks(const runtime& target);

/// One paragraph for each task: what it waits for, and its coroutines.
[[nodiscard]] std::string to_text(std::span<const task_description> tasks);
/// One object: {"tasks": [...]}, with a field for each member of task_description. UTF-8; bytes of
/// a name that are not become U+FFFD.
[[nodiscard]] std::string to_json(std::span<const task_description> tasks);

/// Circles of tasks each of which waits for the end of the next, or for the strand that it has, and
/// the last for the first: nothing but a cancellation, or an error of another child of the gather
/// or when_all through which it waits, can ever end them. What waits for a timer, a descriptor, a
/// value that somebody may send, or one of several tasks that may yet end, is in no circle. At
/// least one circle of those that share a task is told; of one that closes just now, perhaps the
/// next time. Throws usage_error outside a task, std::bad_alloc.
[[nodiscard]] std::vector<await_chain> find_deadlocks();
/// The same for `target`, from any thread.
[[nodiscard]] std::vector<await_chain> find_deadlocks(const runtime& target);

/// See runtime_options::dump_signal. Called on a thread of the runtime's own, one call at a time;
/// the end of the runtime waits for it. What it throws is dropped.
using task_dump_handler = std::function<void(const std::vector<task_description>&)>;

}  // namespace weft
