// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The epoll backend on the real kernel.

#if defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/epoll_poller.hpp"

namespace weft::detail {

namespace {

struct epoll_system {
    int epoll_create1(int flags) noexcept { return ::epoll_create1(flags); }
    int eventfd(unsigned value, int flags) noexcept { return ::eventfd(value, flags); }
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
        return ::epoll_ctl(epoll, operation, fd, event);
    }
    int epoll_pwait2(int epoll, epoll_event* events, int limit, const timespec* timeout) noexcept {
        return ::epoll_pwait2(epoll, events, limit, timeout, nullptr);
    }
    int epoll_pwait(int epoll, epoll_event* events, int limit, int milliseconds) noexcept {
        return ::epoll_pwait(epoll, events, limit, milliseconds, nullptr);
    }
    ssize_t write_fd(int fd, const void* data, std::size_t size) noexcept {
        return ::write(fd, data, size);
    }
};

}  // namespace

std::unique_ptr<poller> make_system_poller() {
    return std::make_unique<epoll_poller<epoll_system>>();
}

}  // namespace weft::detail

#endif
