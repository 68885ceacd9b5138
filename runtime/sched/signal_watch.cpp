// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Protocol: signal watch                                       checked by: tests/unit/sched
// Roles      the one watch of the process (its thread) · the signal handler, on any thread
// Words      target: the latch to bump, nullptr while nobody watches · pending: the signal's number
//            inside: handlers that may hold what they read from target
// Fields     saved: what was installed before → the active watch
// Invariants N2 a handler touches lock-free words and the latch only, and keeps errno.
// Edges      N1 the latch is set before the handlers are installed and cleared after they are gone;
//               pending is written before the latch is bumped
//            N3 store-load pair: handler {count itself inside, read target} against watch {clear
//               target, read inside}: a handler that still got the latch is waited for.
// Shutdown   restore the handlers, clear the target, wait until nobody is inside. A handler on the
//            watch's own thread runs to its end first, so this cannot wait for itself.

#include "sched/signal_watch.hpp"

#include <signal.h>

#include <array>
#include <cerrno>
#include <thread>

namespace weft::detail {

namespace {

struct saved_action {
    int number;
    bool installed;
    struct sigaction before;
};

real_environment::atomic<completion_latch*> target{nullptr};
real_environment::atomic<int> pending{0};
real_environment::atomic<int> inside{0};
std::array<saved_action, 2> saved{{{SIGINT, false, {}}, {SIGTERM, false, {}}}};

extern "C" void weft_note_signal(int number) {
    int saved_errno = errno;
    pending.store(number, std::memory_order_release);                  // N1
    inside.fetch_add(1, std::memory_order_seq_cst);                    // N3
    completion_latch* latch = target.load(std::memory_order_seq_cst);  // N1 N3
    if (latch != nullptr) latch->bump();
    inside.fetch_sub(1, std::memory_order_release);  // N3: the bump is over
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
        if (!s.installed) continue;
        s.installed = false;
        struct sigaction now{};
        if (sigaction(s.number, nullptr, &now) != 0 || now.sa_handler != &weft_note_signal) {
            continue;  // the program has put its own in the place
        }
        sigaction(s.number, &s.before, nullptr);
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
    target.store(nullptr, std::memory_order_seq_cst);      // N1 N3
    while (inside.load(std::memory_order_seq_cst) != 0) {  // N3
        std::this_thread::yield();                         // a handler is a few instructions
    }
}

int signal_watch::take() noexcept {
    if (!active_ || taken_ != 0) return 0;
    taken_ = pending.exchange(0, std::memory_order_acq_rel);  // N1
    if (taken_ != 0) restore();
    return taken_;
}

}  // namespace weft::detail
