// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/thread_clock.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "weft/base/unique_fd.hpp"

namespace weft::detail {

void thread_clock::adopt_this_thread() noexcept {
    clockid_t clock = 0;
    if (pthread_getcpuclockid(pthread_self(), &clock) != 0) return;
    clock_.store(clock, std::memory_order_relaxed);  // V1: by the store below
    thread_.store(static_cast<int>(syscall(SYS_gettid)), std::memory_order_release);  // V1
}

nanoseconds thread_clock::used() const noexcept {
    timespec now{};
    if (thread_.load(std::memory_order_acquire) == 0 ||                      // V1
        clock_gettime(clock_.load(std::memory_order_relaxed), &now) != 0) {  // V1: above
        return nanoseconds::zero();
    }
    return std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
}

std::optional<bool> thread_clock::is_blocked() const noexcept {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/task/%d/stat",
                  thread_.load(std::memory_order_acquire));  // V1
    const unique_fd file{open(path.data(), O_RDONLY | O_CLOEXEC)};
    if (!file) return std::nullopt;
    std::array<char, 128> text{};
    if (read(file.get(), text.data(), text.size() - 1) <= 0) return std::nullopt;
    // proc(5): the state follows the name, which is in parentheses and may contain any.
    const char* name_end = std::strrchr(text.data(), ')');
    if (name_end == nullptr) return std::nullopt;
    return name_end[2] == 'S' || name_end[2] == 'D';
}

}  // namespace weft::detail
