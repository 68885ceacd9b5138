// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A child of a when_all that has become a runnable (join_scope.hpp says when).
//
// Protocol: fork node                             checked by: tests/stress/when_all_stress_test.cpp
// Words      heard: a sibling's failure has been told · inherited: so has the parent's level
//            · the rest: runnable.hpp
// Fields     join: immutable · next: child_list.hpp
// Invariants F1 whoever sets `heard` first asks the child to stop, nobody else: a second time would
//               interrupt its clean-up.
//            Likewise `inherited`: the level is raised once.
// Edges      none: the words are claims; the request and the level have their own
#pragma once

#include <coroutine>

#include "weft/task/promise.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

/// A child that is a runnable of its own, so that it may suspend and move to another worker.
struct fork_node final : runnable {
    fork_node(join_scope& scope, worker_port& here, task_state& enclosing) noexcept
        : runnable(kind, &here, &enclosing), join(&scope) {}
    void hear_of_a_failure() noexcept;
    /// The parent has been asked to stop: if that was because of a cancel scope, it is the child's
    /// as well.
    void inherit_level() noexcept;

    join_scope* join;
    fork_node* next = nullptr;  // in the join's list

    static std::coroutine_handle<> abandon(runnable& self) noexcept;
    static const runnable_ops kind;

private:
    real_environment::atomic<bool> heard_{false};
    real_environment::atomic<bool> inherited_{false};
};

/// Makes a child that was taken from a queue of forks a runnable, which has not begun. Any worker.
[[nodiscard]] runnable& make_runnable(promise_base& child, worker_port& here) noexcept;

}  // namespace weft::detail
