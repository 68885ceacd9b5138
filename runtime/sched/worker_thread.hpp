// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A worker's thread: like std::thread, but with a stack of a chosen size.
#pragma once

#include <cstddef>
#include <utility>

namespace weft::detail {

/// Owns a running thread; join() before it is destroyed.
class worker_thread {
public:
    using function = void (*)(void* argument) noexcept;

    /// `stack_size` in bytes, rounded up to pages; 0: the system's default. Throws
    /// std::system_error.
    worker_thread(std::size_t stack_size, function body, void* argument);
    worker_thread(worker_thread&& other) noexcept
        : running_(std::exchange(other.running_, nullptr)) {}
    worker_thread& operator=(worker_thread&&) = delete;
    ~worker_thread();

    void join() noexcept;

private:
    struct state;
    static void* enter(void* argument);

    state* running_;  // null: joined or moved from
};

}  // namespace weft::detail
