// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the task that frees entries past their deadline. It exists only while some entry has a
// deadline: a server without deadlines is never woken by it.
#pragma once

#include <atomic>
#include <mutex>
#include <weft/weft.hpp>

#include "store.hpp"

namespace kv {

class sweeper {
public:
    /// `data` outlives the sweeper.
    explicit sweeper(store& data) noexcept : data_(data) {}

    /// Starts the task if an entry has a deadline and no task runs. From any task; costs two loads.
    void wake() {
        const bool is_running = is_running_.load(std::memory_order_relaxed);  // start() is exact
        if (!is_running && data_.has_deadlines()) start();
    }
    /// Ends the task. Nobody calls wake() from here on.
    weft::coro<> stop();

private:
    void start();
    bool try_finish();
    weft::coro<> sweep();

    store& data_;
    std::mutex mutex_;
    weft::task<> task_;                    // guarded by mutex_
    std::atomic<bool> is_running_{false};  // written with mutex_ held
};

}  // namespace kv
