// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/signal_watch.hpp"

#include <cerrno>

namespace weft::detail {

namespace {

// What a handler may touch: two lock-free words. N1: the latch is set before the handler is
// installed and cleared after it is gone.
real_environment::atomic<completion_latch*> target{nullptr};
real_environment::atomic<int> pending{0};

extern "C" void weft_note_signal(int number) {
    int saved_errno = errno;
    pending.store(number, std::memory_order_release);                                     // N1
    if (completion_latch* latch = target.load(std::memory_order_acquire)) latch->bump();  // N1
    errno = saved_errno;
}

}  // namespace

signal_watch::signal_watch(completion_latch& latch) noexcept {
    completion_latch* nobody = nullptr;
    if (!target.compare_exchange_strong(nobody, &latch, std::memory_order_acq_rel)) return;  // N1
    active_ = true;
    pending.store(0, std::memory_order_release);  // N1
    for (saved& s : saved_) {
        if (sigaction(s.number, nullptr, &s.before) != 0 || s.before.sa_handler != SIG_DFL)
            continue;
        struct sigaction mine{};
        mine.sa_handler = &weft_note_signal;
        sigemptyset(&mine.sa_mask);
        mine.sa_flags = SA_RESTART;
        s.installed = sigaction(s.number, &mine, nullptr) == 0;
    }
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

void signal_watch::restore() noexcept {
    for (saved& s : saved_) {
        if (s.installed) sigaction(s.number, &s.before, nullptr);
        s.installed = false;
    }
}

}  // namespace weft::detail
