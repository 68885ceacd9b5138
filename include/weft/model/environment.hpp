// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The environment policy: what a concurrent structure may ask of the world. Every structure that
// owns a shared word is a template on `Env`, so the same source runs in production
// (`real_environment`) and under the model checker of tests/model. Rooms that take an `Env` use no
// bare std::atomic, clock, system call or thread_local.
//
// The fence pair is asymmetric (the idea of C++ paper P1202): the side that runs often pays a
// compiler barrier, the side that runs seldom pays membarrier(2), which makes every running thread
// of the process execute a full barrier. Where the kernel refuses membarrier both are seq_cst.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace weft::detail {

using time_point = std::chrono::steady_clock::time_point;
using nanoseconds = std::chrono::nanoseconds;

struct real_environment {
    template <class T>
    using atomic = std::atomic<T>;

    /// Plain datum that a protocol hands from thread to thread; the model checker looks for races.
    template <class T>
    class cell {
    public:
        cell() = default;
        explicit cell(T value) noexcept : value_(value) {}
        [[nodiscard]] T load() const noexcept { return value_; }
        void store(T value) noexcept { value_ = value; }

    private:
        T value_{};
    };

    /// For what may be held for longer than a futex_mutex (park room).
    using mutex = std::mutex;

    static void seq_cst_fence() noexcept;
    static void light_fence() noexcept;
    static void heavy_fence() noexcept;
    static void relax() noexcept;

    /// Blocks while `word == expected`, until woken, interrupted or `deadline` (time_point::max() =
    /// none). False only when the deadline passed. May return early: callers re-check their word.
    static bool futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                           time_point deadline) noexcept;
    /// Wakes at most `count` threads that wait on `word`.
    static void futex_wake(atomic<std::uint32_t>& word, int count) noexcept;

    [[nodiscard]] static time_point now() noexcept {
        return clock_ == nullptr ? std::chrono::steady_clock::now() : clock_();
    }
    /// What now() reads instead of the system's clock; null: that again. For tests, while this
    /// process has no threads of weft. Waits in the kernel keep the system's time.
    static void set_clock(time_point (*clock)() noexcept) noexcept { clock_ = clock; }

    /// 64 random bits: to spread load, never for secrets. Any thread, after initialise().
    [[nodiscard]] static std::uint64_t random() noexcept;
    /// What random() gives instead; null: its own again. For tests, while this process has no
    /// threads of weft.
    static void set_random(std::uint64_t (*source)() noexcept) noexcept { random_ = source; }

    /// True once membarrier(2) is registered for this process: fixed before the first worker runs.
    [[nodiscard]] static bool has_asymmetric_fence() noexcept { return asymmetric_fence_; }
    /// Registers for membarrier and seeds random(); idempotent, any thread, before workers start.
    static void initialise() noexcept;

private:
    static bool asymmetric_fence_;
    static time_point (*clock_)() noexcept;
    static std::uint64_t (*random_)() noexcept;
};

// ---------------------------------------------------------------------------------------------

inline void real_environment::seq_cst_fence() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // StoreLoad only: no edge relies on it
}

inline void real_environment::light_fence() noexcept {
    if (asymmetric_fence_) [[likely]] {
        std::atomic_signal_fence(std::memory_order_seq_cst);  // compiler barrier; heavy side pays
    } else {
        seq_cst_fence();
    }
}

inline void real_environment::relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace weft::detail
