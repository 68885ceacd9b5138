// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The suite that every way of waiting passes. A way of waiting is a coroutine function that ends
// once a gate is open: `co_await` of a task that waits for the gate, a gather of such tasks, ...
#pragma once

#include "support/runtime_gate.hpp"

namespace weft::test {

/// Several run at once, and the assertions of Catch2 are for one thread at a time: it throws if
/// something is not as it should be.
using waiting_function = coro<> (*)(gate&);

/// Each item is a Catch2 section: ready path, wait path, wake before the wait, cancel before, while
/// and after, order of waiters, wake from another task and from a foreign thread, shutdown while
/// waiting.
void check_waiting(waiting_function wait);

/// Waits for a gate: what the ways of waiting are built on.
[[nodiscard]] coro<> pass(gate& g);

/// Ends when `t` is done, however.
[[nodiscard]] coro<> ended(any_task t);

}  // namespace weft::test
