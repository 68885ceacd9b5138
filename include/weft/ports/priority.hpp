// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which of the tasks that are ready comes first.
#pragma once

#include <cstdint>

namespace weft {

/// A task starts with the priority of the one that creates it, or with what task_options says, and
/// keeps it wherever it runs, stolen or not, with the children of its when_alls. Nothing that runs
/// is interrupted: a priority says what a worker takes next, so a background task should not run
/// for long between two suspensions. Awaiting a task does not lend it one's own priority. What
/// another thread spawns or wakes waits for its turn in the injection queue, whatever it is.
enum class priority : std::uint8_t {
    latency,     ///< before all others; of 17 turns that it would take, one goes to a normal task
    normal,      ///< first in, first out
    background,  ///< when a worker has, and finds at others, nothing else; not starved: a run that
                 ///< took t is due again after 128 t, at the next look around
};

}  // namespace weft
