// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The epoll backend. Descriptors are registered once for both directions, edge-triggered. The
// wake-up channel is an eventfd, edge-triggered too: each write makes an edge, so it is never read
// (its counter holds 2^64 - 2 wake-ups).
//
// `Kernel` supplies the system calls as they are in epoll(7): epoll_create1, epoll_ctl,
// epoll_pwait2, epoll_pwait, eventfd, write_fd; each returns -1 and sets errno. A test passes one
// that fails on purpose.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <utility>

#include "weft/base/unique_fd.hpp"
#include "weft/reactor/poller.hpp"

namespace weft::detail {

template <class Kernel>
class epoll_poller final : public poller {
public:
    /// Throws std::system_error when the kernel refuses a descriptor.
    explicit epoll_poller(Kernel kernel = {});

    std::error_code add(int fd, std::uint64_t token) noexcept override;
    std::error_code remove(int fd) noexcept override;
    std::expected<std::size_t, std::error_code> wait(
        std::span<poll_event> out, std::chrono::nanoseconds timeout) noexcept override;
    void wake() noexcept override;

    [[nodiscard]] Kernel& kernel() noexcept { return kernel_; }

private:
    static constexpr std::uint32_t interest = EPOLLET | EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI;

    [[nodiscard]] std::error_code add_events(int fd, std::uint64_t token,
                                             std::uint32_t events) noexcept;
    [[nodiscard]] int wait_raw(int limit, std::chrono::nanoseconds timeout) noexcept;
    [[nodiscard]] int wait_milliseconds(int limit, std::chrono::nanoseconds timeout) noexcept;
    [[nodiscard]] static poll_event translate(const epoll_event& event) noexcept;

    [[no_unique_address]] Kernel kernel_;
    unique_fd epoll_;
    unique_fd wake_;
    bool has_pwait2_ = true;
    std::array<epoll_event, 256> buffer_{};
};

// ---------------------------------------------------------------------------------------------

template <class Kernel>
epoll_poller<Kernel>::epoll_poller(Kernel kernel) : kernel_(std::move(kernel)) {
    epoll_.reset(kernel_.epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) throw std::system_error(errno, std::system_category(), "epoll_create1");
    wake_.reset(kernel_.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) throw std::system_error(errno, std::system_category(), "eventfd");
    if (std::error_code error = add_events(wake_.get(), wake_token, EPOLLET | EPOLLIN)) {
        throw std::system_error(error, "epoll_ctl");
    }
}

template <class Kernel>
std::error_code epoll_poller<Kernel>::add_events(int fd, std::uint64_t token,
                                                 std::uint32_t events) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    if (kernel_.epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
    return {errno, std::system_category()};
}

template <class Kernel>
std::error_code epoll_poller<Kernel>::add(int fd, std::uint64_t token) noexcept {
    return add_events(fd, token, interest);
}

template <class Kernel>
std::error_code epoll_poller<Kernel>::remove(int fd) noexcept {
    epoll_event ignored{};  // Linux before 2.6.9 wanted a pointer here
    if (kernel_.epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &ignored) == 0) return {};
    return {errno, std::system_category()};
}

template <class Kernel>
std::expected<std::size_t, std::error_code> epoll_poller<Kernel>::wait(
    std::span<poll_event> out, std::chrono::nanoseconds timeout) noexcept {
    const int limit = static_cast<int>(std::min(out.size(), buffer_.size()));
    const int count = wait_raw(limit, timeout);
    if (count < 0) {
        if (errno == EINTR) return std::size_t{0};
        return std::unexpected(std::error_code(errno, std::system_category()));
    }
    std::size_t filled = 0;
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = buffer_[static_cast<std::size_t>(i)];
        if (event.data.u64 != wake_token) out[filled++] = translate(event);
    }
    return filled;
}

template <class Kernel>
int epoll_poller<Kernel>::wait_raw(int limit, std::chrono::nanoseconds timeout) noexcept {
    const bool unlimited = timeout == forever || timeout.count() < 0;
    if (!has_pwait2_ || unlimited) return wait_milliseconds(limit, unlimited ? forever : timeout);
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    timespec limit_time{};
    limit_time.tv_sec = static_cast<std::time_t>(whole.count());
    limit_time.tv_nsec = static_cast<long>((timeout - whole).count());
    const int count = kernel_.epoll_pwait2(epoll_.get(), buffer_.data(), limit, &limit_time);
    // Fact: epoll_pwait2 is in Linux 5.11; older kernels and strict seccomp filters refuse it.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_pwait2_ = false;
    return wait_milliseconds(limit, timeout);
}

template <class Kernel>
int epoll_poller<Kernel>::wait_milliseconds(int limit, std::chrono::nanoseconds timeout) noexcept {
    int milliseconds = -1;
    if (timeout != forever) {
        // Up, never down: a wait that ends early would spin until its deadline.
        const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
        milliseconds = static_cast<int>(std::min<std::int64_t>(rounded, INT_MAX));
    }
    return kernel_.epoll_pwait(epoll_.get(), buffer_.data(), limit, milliseconds);
}

template <class Kernel>
poll_event epoll_poller<Kernel>::translate(const epoll_event& event) noexcept {
    // Errors and hang-ups wake both directions: the system call that follows tells which it was.
    // Urgent data (EPOLLPRI) ends a read early like a hang-up does, so it counts as one.
    const bool ended = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    const bool read_ended = (event.events & (EPOLLRDHUP | EPOLLPRI)) != 0;
    return {.token = event.data.u64,
            .readable = ended || read_ended || (event.events & EPOLLIN) != 0,
            .writable = ended || read_ended || (event.events & EPOLLOUT) != 0,
            .hang_up = ended || read_ended};
}

template <class Kernel>
void epoll_poller<Kernel>::wake() noexcept {
    const std::uint64_t one = 1;
    while (kernel_.write_fd(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

}  // namespace weft::detail
