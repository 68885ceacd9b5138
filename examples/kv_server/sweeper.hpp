// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the task that frees entries past their deadline. It exists only while some entry has a
// deadline: a server without deadlines is never woken by it.
//
// Protocol: the end of the sweeper
// Roles      sweeper (one task) · clients (any number; each sets a deadline, then calls wake())
// Words      is_running_: a task sweeps or is about to · any_deadline_ of the store
// Invariant  a deadline that nobody sweeps for does not stay: its client starts a task, or the
//            task that was about to end stays.
// Edge       S1 Dekker, all seq_cst: a client makes any_deadline_ true (or sees it true), then
//            loads is_running_; the sweeper makes is_running_ false, then loads any_deadline_. One
//            of the two sees what the other has written.
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
        const bool is_running = is_running_.load(std::memory_order_seq_cst);  // S1: deadline set
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
    std::atomic<bool> is_running_{false};  // written with mutex_ held; S1
};

}  // namespace kv
