// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The tasks that are not done: one intrusive list for each worker, so that creating and ending a
// task on its own worker touches no shared line.
//
// Fields     list, closed → the shard's mutex
// Invariants R1 a task is in the list of `registry_shard` from enlist until delist.
//            R2 once closed, no shard takes a task any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "weft/park/futex_mutex.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

class task_registry {
public:
    explicit task_registry(std::size_t shards)
        : shards_(std::make_unique<shard[]>(shards)), count_(shards) {}

    /// False once closed.
    [[nodiscard]] bool add(task_state& task, std::size_t where) noexcept;
    void remove(task_state& task) noexcept;
    /// Each with a reference for the caller.
    [[nodiscard]] std::vector<task_state*> snapshot();
    [[nodiscard]] std::size_t size() noexcept;
    /// Closes if no task is left.
    [[nodiscard]] bool try_close() noexcept;

private:
    struct alignas(64) shard {
        futex_mutex<real_environment> mutex;
        task_state* first = nullptr;
        std::size_t size = 0;
        bool closed = false;
    };
    std::unique_ptr<shard[]> shards_;
    std::size_t count_;
};

}  // namespace weft::detail
