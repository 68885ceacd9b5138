// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Protocol: signal watch                                       checked by: tests/unit/sched
// Roles      the one watch of the process (its thread) · the signal handler, on any thread
// Words      target: the latch to bump, nullptr while nobody watches · pending: the signal's number
// Fields     saved: what was installed before → the active watch
// Invariants N2 a handler touches lock-free words and the latch only, and keeps errno.
// Edges      N1 the latch is set before the handlers are installed and cleared after they are gone;
//               pending is written before the latch is bumped
// Shutdown   restore the handlers, then clear the target: a handler that runs on another thread at
//            that moment still finds the latch, which its owner keeps until the watch is gone.

#include "sched/signal_watch.hpp"

#include <signal.h>

#include <array>
#include <cerrno>

namespace weft::detail {

namespace {

struct saved_action {
    int number;
    bool installed;
    struct sigaction before;
};

real_environment::atomic<completion_latch*> target{nullptr};
real_environment::atomic<int> pending{0};
std::array<saved_action, 2> saved{{{SIGINT, false, {}}, {SIGTERM, false, {}}}};

extern "C" void weft_note_signal(int number) {
    int saved_errno = errno;
    pending.store(number, std::memory_order_release);                  // N1
    completion_latch* latch = target.load(std::memory_order_acquire);  // N1
    if (latch != nullptr) latch->bump();
    errno = saved_errno;
}

void install() noexcept {
    for (saved_action& s : saved) {
        if (sigaction(s.number, nullptr, &s.before) != 0 || s.before.sa_handler != SIG_DFL)
            continue;
        struct sigaction mine{};
        mine.sa_handler = &weft_note_signal;
        sigemptyset(&mine.sa_mask);
        mine.sa_flags = SA_RESTART;
        s.installed = sigaction(s.number, &mine, nullptr) == 0;
    }
}

void restore() noexcept {
    for (saved_action& s : saved) {
        if (s.installed) sigaction(s.number, &s.before, nullptr);
        s.installed = false;
    }
}

}  // namespace

signal_watch::signal_watch(completion_latch& latch) noexcept {
    completion_latch* nobody = nullptr;
    active_ = target.compare_exchange_strong(nobody, &latch, std::memory_order_acq_rel,  // N1
                                             std::memory_order_relaxed);  // another watches
    if (!active_) return;
    pending.store(0, std::memory_order_release);  // N1
    install();
}

signal_watch::~signal_watch() {
    if (!active_) return;
    restore();
    target.store(nullptr, std::memory_order_release);  // N1
}

int signal_watch::take() noexcept {
    if (!active_ || taken_ != 0) return 0;
    taken_ = pending.exchange(0, std::memory_order_acq_rel);  // N1
    if (taken_ != 0) restore();
    return taken_;
}

}  // namespace weft::detail
