// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Under ThreadSanitizer only: the reference count of an exception, made visible.
//
// A task's error is read on one thread and may be dropped last on another. What orders the two is
// the count inside of libstdc++, which is not instrumented: TSan sees a read and a free with no
// edge between them and reports a race. No suppression fits, since the freeing stack holds names of
// the user's where a catch clause drops the last reference. So the two functions that count down
// are replaced by ones that hold a lock around the real ones: the lock's edges stand for the
// count's.
//
// The price: an exception whose destructor waits for another thread's catch clause waits for ever.

#include <exception>

#include "base/thread_sanitizer.hpp"

#if defined(WEFT_THREAD_SANITIZER) && defined(__GLIBCXX__)

#include <dlfcn.h>
#include <pthread.h>

namespace {

/// Recursive by hand, because glibc's recursive mutex cannot be unlocked by the child of a fork.
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
thread_local int depth = 0;

void lock() {
    if (depth++ == 0) pthread_mutex_lock(&mutex);
}

void unlock() {
    if (--depth == 0) pthread_mutex_unlock(&mutex);
}

[[maybe_unused]] const int at_fork = pthread_atfork(lock, unlock, unlock);

template <class F>
F* real(const char* symbol) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, symbol));
}

}  // namespace

extern "C" {

void __cxa_end_catch() {
    static auto* const next = real<void()>("__cxa_end_catch");
    lock();
    next();
    unlock();
}

// std::exception_ptr::_M_release, a member function
void _ZNSt15__exception_ptr13exception_ptr10_M_releaseEv(std::exception_ptr* self) {
    static auto* const next =
        real<void(std::exception_ptr*)>("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");
    lock();
    next(self);
    unlock();
}
}

#endif
