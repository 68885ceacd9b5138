// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/dump_signal.hpp"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "sched/runtime_core.hpp"
#include "weft/error.hpp"

namespace weft::detail {

namespace {

struct signal_words {
    real_environment::atomic<std::uint32_t> requests{0};
    real_environment::atomic<std::uint32_t> events{0};
};

struct signal_use {
    unsigned users = 0;
    struct sigaction before{};
};

std::array<signal_words, NSIG> words;
std::array<signal_use, NSIG> uses;  // guarded by uses_mutex
std::mutex uses_mutex;

void bump(signal_words& of) noexcept {
    of.events.fetch_add(1, std::memory_order_release);  // D1
    real_environment::futex_wake(of.events, INT_MAX);
}

extern "C" void weft_note_dump_signal(int number) {
    const int saved_errno = errno;
    signal_words& mine = words[static_cast<std::size_t>(number)];
    mine.requests.fetch_add(1, std::memory_order_release);  // D1
    bump(mine);
    errno = saved_errno;
}

/// Installs the handler, for the first user.
void acquire(int number) {
    std::lock_guard guard{uses_mutex};
    signal_use& use = uses[static_cast<std::size_t>(number)];
    if (use.users == 0) {
        struct sigaction mine{};
        mine.sa_handler = &weft_note_dump_signal;
        sigemptyset(&mine.sa_mask);
        mine.sa_flags = SA_RESTART;
        if (sigaction(number, nullptr, &use.before) != 0 ||
            ((use.before.sa_flags & SA_SIGINFO) == 0 && use.before.sa_handler == SIG_DFL &&
             sigaction(number, &mine, nullptr) != 0)) {
            throw std::system_error(errno, std::generic_category(), "dump_signal");
        }
        if ((use.before.sa_flags & SA_SIGINFO) != 0 || use.before.sa_handler != SIG_DFL) {
            throw usage_error(
                "dump_signal names a signal that the program handles or ignores: choose another, "
                "or call dump_tasks where it is handled");
        }
    }
    ++use.users;
}

/// Restores what was there, unless the program has put its own in the place.
void release(int number) noexcept {
    std::lock_guard guard{uses_mutex};
    signal_use& use = uses[static_cast<std::size_t>(number)];
    if (--use.users != 0) return;
    struct sigaction now{};
    if (sigaction(number, nullptr, &now) != 0 || now.sa_handler != &weft_note_dump_signal) return;
    sigaction(number, &use.before, nullptr);
}

}  // namespace

void dump_signal::start(int signal_number) {
    if (signal_number <= 0 || signal_number >= NSIG) {
        throw std::invalid_argument("weft: dump_signal is no signal");
    }
    acquire(signal_number);
    signal_ = signal_number;
    signal_words& mine = words[static_cast<std::size_t>(signal_number)];
    answered_ = mine.requests.load(std::memory_order_acquire);  // D1
    try {
        thread_ = std::make_unique<worker_thread>(std::size_t{0}, &enter, this);
    } catch (...) {
        release(signal_number);
        throw;
    }
}

void dump_signal::stop() noexcept {
    if (thread_ == nullptr) return;
    stopping_.store(true, std::memory_order_release);  // D1
    bump(words[static_cast<std::size_t>(signal_)]);
    thread_->join();
    thread_ = nullptr;
    release(signal_);
}

bool dump_signal::is_this_thread() const noexcept {
    return runs_.load(std::memory_order_acquire) &&  // D2
           std::this_thread::get_id() == id_;
}

void dump_signal::enter(void* self) noexcept {
    pthread_setname_np(pthread_self(), "weft-dump");
    auto& mine = *static_cast<dump_signal*>(self);
    mine.id_ = std::this_thread::get_id();
    mine.runs_.store(true, std::memory_order_release);  // D2
    mine.loop();
    mine.runs_.store(false, std::memory_order_release);  // D2: another thread may get the id
}

void dump_signal::loop() noexcept {
    signal_words& mine = words[static_cast<std::size_t>(signal_)];
    for (;;) {
        const std::uint32_t events = mine.events.load(std::memory_order_acquire);      // D1
        const bool is_last = stopping_.load(std::memory_order_acquire);                // D1
        const std::uint32_t requests = mine.requests.load(std::memory_order_acquire);  // D1
        if (requests != std::exchange(answered_, requests))
            dump();
        else if (is_last)
            return;
        else
            env::futex_wait(mine.events, events, time_point::max());
    }
}

void dump_signal::dump() noexcept {
    try {
        const std::vector<task_description> tasks = dump_tasks_of(core_);
        std::lock_guard guard{handler_mutex_};
        const std::shared_ptr<const task_dump_handler> handler = handler_;  // may replace itself
        if (handler != nullptr) return (*handler)(tasks);
        std::fprintf(stderr, "weft: %zu tasks\n%s", tasks.size(), to_text(tasks).c_str());
    } catch (...) {
        std::fputs("weft: error while a dump of the tasks was handled\n", stderr);
    }
}

void dump_signal::set_handler(task_dump_handler handler) {
    auto fresh = handler ? std::make_shared<const task_dump_handler>(std::move(handler)) : nullptr;
    std::lock_guard guard{handler_mutex_};
    handler_.swap(fresh);
}

}  // namespace weft::detail
