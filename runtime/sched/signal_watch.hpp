// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Turns the first SIGINT, or SIGTERM where that is asked for, into a bump of the latch that a
// thread waits on for its main task. A signal that the program ignores or handles itself is left
// alone. Where several threads watch, a signal is told to one: to the first that was asked to
// watch, or else to the main thread.
//
// Protocol: signal watch                                       checked by: tests/unit/sched
// Roles      watches (threads that block for a main task) · the signal handler, on any thread
// Words      target: the watch that is told, nullptr: none · pending (of a watch): what it was told
//            inside: handlers that may hold what they read from target
// Fields     the list of watches, what was installed before → the list's mutex
// Invariants N2 a handler touches lock-free words and a latch only, and keeps errno.
//            N4 a fork's child has no watch, no handler of ours, and a free mutex.
//            N5 a handler that the program sets meanwhile is put back: the kernel hands out what
//               was there as it exchanges handlers, and we look at that, not at what was before.
// Edges      N1 the target is set before the handlers are installed and cleared after they are
//               gone; pending is written before the latch is bumped
//            N3 store-load pair: handler {count itself inside, read target} against watch {change
//               target, read inside}: a handler that still got the old one is waited for.
// Shutdown   leave the list, let the next one be told, wait until nobody is inside. A handler on
//            the watch's own thread runs to its end first, so this cannot wait for itself.
#pragma once

#include "sched/completion_latch.hpp"

namespace weft::detail {

/// Whether this is the thread that main() runs on.
[[nodiscard]] bool is_main_thread() noexcept;

/// Throws weft::interrupted. If nobody catches it the process ends by that signal, not by SIGABRT.
[[noreturn]] void throw_interrupted(int number);

class signal_watch {
public:
    /// `latch` outlives it.
    signal_watch(completion_latch& latch, bool asked_for) noexcept;
    signal_watch(const signal_watch&) = delete;
    signal_watch& operator=(const signal_watch&) = delete;
    /// What came and nobody asked for has its effect now.
    ~signal_watch();

    /// The signal that came, once; 0 if none. Signals have their default effect from then on, and
    /// so has the other one if both came.
    [[nodiscard]] int take() noexcept;
    /// Ends the watch: what was there before is restored. The signal that came and was not taken.
    [[nodiscard]] int stop() noexcept;

    /// Once for the process.
    static void install_terminate_handler();

    // Around fork(): see sched/fork_guard.hpp.
    static void hold_list();
    static void release_list();
    static void forget_all() noexcept;  // while held

private:
    struct registry;

    [[nodiscard]] int take_pending() noexcept;

    completion_latch& latch_;
    signal_watch* next_ = nullptr;
    const bool asked_for_;
    bool is_listed_ = true;
    bool has_taken_ = false;
    real_environment::atomic<unsigned> pending_{0};  // bit n: signal n
};

}  // namespace weft::detail
