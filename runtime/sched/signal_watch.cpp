// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/signal_watch.hpp"

#include <signal.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#elif __has_include(<pthread_np.h>)
#include <pthread_np.h>
#else
#include <pthread.h>
#endif

#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "weft/error.hpp"

namespace weft::detail {

namespace {

std::terminate_handler terminate_before = nullptr;

[[noreturn]] void end_by_signal(int number) noexcept {
    signal_watch::hold_list();  // for good: nobody sets a handler any more
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    sigset_t only_this;
    sigemptyset(&only_this);
    sigaddset(&only_this, number);
    sigaction(number, &usual, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &only_this, nullptr);
    raise(number);
    _exit(128 + number);  // still there: process 1 of a container, whom no default effect meets
}

/// A program that does not catch `interrupted` ends as it would have ended without us.
[[noreturn]] void terminate_interrupted() {
    if (std::exception_ptr uncaught = std::current_exception()) {
        try {
            std::rethrow_exception(uncaught);
        } catch (const interrupted& by) {
            end_by_signal(by.signal_number());
        } catch (...) {
            // the handler before us says what it was
        }
    }
    terminate_before();
    std::abort();
}

}  // namespace

bool is_main_thread() noexcept {
#if defined(__linux__)
    return getpid() == syscall(SYS_gettid);
#else
    return pthread_main_np() != 0;
#endif
}

void throw_interrupted(int number) {
    signal_watch::install_terminate_handler();
    throw interrupted(number);
}

/// What all watches have in common.
struct signal_watch::registry {
    struct action {
        int number;
        bool installed;
    };

    static bool takes(const signal_watch* watch, int number) noexcept {
        return watch != nullptr && (watch->asked_for_ || number == SIGINT);
    }

    static void note(int number) noexcept {
        int saved_errno = errno;
        inside.fetch_add(1, std::memory_order_seq_cst);                // N3
        signal_watch* watch = target.load(std::memory_order_seq_cst);  // N1 N3
        if (takes(watch, number)) {
            watch->pending_.fetch_or(1u << number, std::memory_order_release);  // N1
            watch->latch_.bump();
        } else {
            remove(number);  // somebody saved it during a call and has put it back since
            raise(number);   // after this handler: what is there now has its turn
        }
        inside.fetch_sub(1, std::memory_order_release);  // N3: the bump is over
        errno = saved_errno;
    }

    static bool is_unset(const struct sigaction& handler) noexcept {
        return handler.sa_handler == SIG_DFL || handler.sa_handler == &note;
    }

    /// False, and nothing changed, where the program has a handler of its own.
    static bool exchange(int number, const struct sigaction& to) noexcept {
        struct sigaction was{};
        if (sigaction(number, nullptr, &was) != 0 || !is_unset(was)) return false;
        if (sigaction(number, &to, &was) != 0) return false;
        if (is_unset(was)) return true;
        sigaction(number, &was, nullptr);  // N5
        return false;
    }

    static bool install(int number) noexcept {
        struct sigaction mine{};
        mine.sa_handler = &note;
        sigfillset(&mine.sa_mask);  // another handler might leave by a jump, and `inside` as it is
        mine.sa_flags = SA_RESTART | SA_ONSTACK;
        return exchange(number, mine);
    }

    static void remove(int number) noexcept {
        struct sigaction usual{};
        usual.sa_handler = SIG_DFL;
        exchange(number, usual);
    }

    /// From here on signals are told to the first of the list. The mutex is held.
    static void tell_the_first() noexcept {
        signal_watch* now = first != nullptr && !first->has_taken_ ? first : nullptr;
        for (action& a : actions) {
            if (a.installed && !takes(now, a.number)) {
                remove(a.number);
                a.installed = false;
            }
        }
        target.store(now, std::memory_order_seq_cst);          // N1 N3
        while (inside.load(std::memory_order_seq_cst) != 0) {  // N3
            std::this_thread::yield();                         // a handler is a few instructions
        }
        for (action& a : actions) {
            if (!a.installed && takes(now, a.number)) a.installed = install(a.number);
        }
    }

    static inline constinit real_environment::atomic<signal_watch*> target{nullptr};
    static inline constinit real_environment::atomic<int> inside{0};
    static inline constinit std::mutex mutex;
    static inline constinit signal_watch* first = nullptr;
    static inline constinit std::array<action, 2> actions{{{SIGINT, false}, {SIGTERM, false}}};
};

signal_watch::signal_watch(completion_latch& latch, bool asked_for) noexcept
    : latch_(latch), asked_for_(asked_for) {
    const std::scoped_lock hold{registry::mutex};
    signal_watch** place = &registry::first;
    while (*place != nullptr && (*place)->asked_for_ >= asked_for) place = &(*place)->next_;
    next_ = *place;
    *place = this;
    registry::tell_the_first();
}

signal_watch::~signal_watch() {
    if (int number = stop()) kill(getpid(), number);
}

int signal_watch::take() noexcept {
    if (has_taken_ || pending_.load(std::memory_order_acquire) == 0) return 0;  // N1
    const std::scoped_lock hold{registry::mutex};
    has_taken_ = true;
    registry::tell_the_first();
    return take_pending();
}

int signal_watch::stop() noexcept {
    if (!is_listed_) return 0;
    is_listed_ = false;
    const std::scoped_lock hold{registry::mutex};
    signal_watch** place = &registry::first;
    while (*place != this) place = &(*place)->next_;
    *place = next_;
    registry::tell_the_first();
    return take_pending();
}

int signal_watch::take_pending() noexcept {
    const unsigned pending = pending_.exchange(0, std::memory_order_acq_rel);  // N1
    if (pending == 0) return 0;
    const int number = std::countr_zero(pending);
    if (const unsigned other = pending & (pending - 1); other != 0) {
        kill(getpid(), std::countr_zero(other));  // the second one
    }
    return number;
}

void signal_watch::install_terminate_handler() {
    const std::scoped_lock hold{registry::mutex};
    if (terminate_before != nullptr) return;
    terminate_before = std::get_terminate();
    std::set_terminate(&terminate_interrupted);
}

void signal_watch::hold_list() { registry::mutex.lock(); }

void signal_watch::release_list() { registry::mutex.unlock(); }

void signal_watch::forget_all() noexcept {
    registry::inside.store(0, std::memory_order_relaxed);  // N4: the only thread
    registry::first = nullptr;
    registry::tell_the_first();
}

}  // namespace weft::detail
