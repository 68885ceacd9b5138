// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The tasks that are not done: a table of them for each worker and one for everybody else, so
// that creating and ending a task on the same worker touches no shared line and, while nobody else
// looks, costs no atomic read-modify-write.
//
// Fields     tasks, closed → the shard's mutex
// Invariants R1 a task is in the table of `registry_shard` from enlist until delist.
//            R2 once closed, no shard takes a task any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "sched/task_slots.hpp"
#include "weft/park/biased_mutex.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

class task_registry {
public:
    explicit task_registry(std::size_t workers)
        : shards_(std::make_unique<shard[]>(workers + 1)), count_(workers + 1) {}
    /// Who calls, where no worker of this runtime does.
    [[nodiscard]] std::size_t nobody() const noexcept { return count_ - 1; }

    /// `caller`: the worker whose thread this is, or nobody(). False once closed. Throws
    /// std::bad_alloc.
    [[nodiscard]] bool add(task_state& task, std::size_t caller);
    void remove(task_state& task, std::size_t caller) noexcept;
    /// Worker `caller`, whose table holds the task: removes it if nobody else than these holders
    /// knows it. Looks under the lock under which snapshot() makes references.
    [[nodiscard]] bool remove_if_unshared(task_state& task, std::size_t caller,
                                          std::uint32_t holders) noexcept;
    /// Each with a reference for the caller.
    [[nodiscard]] std::vector<task_state*> snapshot();
    [[nodiscard]] std::size_t size() noexcept;
    /// Closes if no task is left.
    [[nodiscard]] bool try_close() noexcept;

private:
    struct alignas(64) shard {
        [[nodiscard]] std::optional<bool> add(task_state& task,
                                              std::unique_ptr<task_slots::segment>& fresh) noexcept;

        biased_mutex<real_environment> mutex;
        task_slots tasks;
        bool closed = false;
    };
    [[nodiscard]] bool add_slowly(task_state& task, std::size_t caller);

    std::unique_ptr<shard[]> shards_;
    std::size_t count_;
};

}  // namespace weft::detail
