// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A suspension that waits for nothing but its turn.
#pragma once

#include <coroutine>

#include "weft/ports/ports.hpp"
#include "weft/task/ready_turn.hpp"
#include "weft/task/runnable.hpp"
#include "weft/trace/events.hpp"

namespace weft::detail {

/// Queues `self`, which runs here, behind everything that its worker has ready. It may run on
/// another worker at once: touch nothing afterwards.
inline void requeue(runnable& self) noexcept {
    worker_port& here = *self.worker;
    trace::task_suspend(here.trace, trace::suspend_reason::yield);
    here.current.clear();
    publish_direct_await(here);
    here.submit_back(self);
}

/// In an await_suspend that finds the result there: true if `self` was requeued, and `caller` goes
/// on in its next turn.
[[nodiscard]] inline bool gives_way(runnable& self, std::coroutine_handle<> caller) noexcept {
    if (!self.worker->owes_a_turn()) [[likely]]
        return false;
    give_way(self, caller);
    return true;
}

}  // namespace weft::detail
