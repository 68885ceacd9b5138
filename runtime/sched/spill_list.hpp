// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where ready runnables go when a queue has no memory to grow: what is ready is never lost, and
// queueing it never throws. A list through the runnables themselves, first in, first out.
//
// Protocol: spill list                         checked by: tests/stress/spill_stress_test.cpp
// Roles      any thread pushes · workers pop
// Word       count: runnables inside, so that nobody takes the lock for an empty list
// Fields     first_, last_, the links → mutex_
// Edges      P1 store-load pair, made by idle_set's fences like the injection queue's: {push,
//               fence, read who is idle} / {announce, fence, read count}. The mutex carries the
//               runnable.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "weft/model/environment.hpp"
#include "weft/park/futex_mutex.hpp"
#include "weft/task/runnable.hpp"

namespace weft::detail {

class spill_list {
public:
    /// The caller notifies, as for every queue.
    void push(runnable& ready) noexcept {
        const std::scoped_lock lock(mutex_);
        ready.next_spilled = nullptr;
        (first_ == nullptr ? first_ : last_->next_spilled) = &ready;
        last_ = &ready;
        count_.fetch_add(1, std::memory_order_relaxed);  // P1
    }

    [[nodiscard]] runnable* pop() noexcept {
        if (count_.load(std::memory_order_relaxed) == 0) return nullptr;  // P1
        const std::scoped_lock lock(mutex_);
        runnable* found = first_;
        if (found == nullptr) return nullptr;
        first_ = found->next_spilled;
        count_.fetch_sub(1, std::memory_order_relaxed);  // P1
        return found;
    }

private:
    futex_mutex<real_environment> mutex_;
    runnable* first_ = nullptr;
    runnable* last_ = nullptr;
    real_environment::atomic<std::size_t> count_{0};
};

}  // namespace weft::detail
