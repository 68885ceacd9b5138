// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/checkpoint.hpp"

#include "weft/task/task_state.hpp"

namespace weft::detail {

runnable* checkpoint_operation::take_requests(promise_base& here) noexcept {
    // What was asked of a task that awaits this one directly is for this one.
    meet_requests(*here.in_place().worker);
    if (!here.in_place().lifecycle.has_requests()) return nullptr;
    // In the place of a parent it is the parent that was asked: its children become runnables, and
    // the request goes to each of them.
    runnable& self = here.current();
    return self.lifecycle.take_requests() ? &self : nullptr;
}

}  // namespace weft::detail
