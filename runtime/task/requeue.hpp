// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A suspension that waits for nothing but its turn.
#pragma once

#include "weft/ports/ports.hpp"
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

}  // namespace weft::detail
