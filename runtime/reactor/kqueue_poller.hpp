// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The kqueue backend of macOS and the BSDs. Both filters of a descriptor are registered once with
// EV_CLEAR, which is kqueue's edge trigger; the wake-up channel is a user event.
//
// `Kernel` supplies the event type, the constants of kevent(2) under their lower-case names, and
// the calls kqueue(), kevent(), close(); a call returns -1 and sets errno. So this file includes no
// header of a platform, and the tests run it against a kernel of their own on any platform.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "weft/reactor/poller.hpp"

namespace weft::detail {

template <class Kernel>
class kqueue_poller final : public poller {
public:
    using event_type = typename Kernel::event_type;

    /// Throws std::system_error when the kernel refuses the queue or the wake-up event.
    explicit kqueue_poller(Kernel kernel = {});
    ~kqueue_poller() override { kernel_.close(queue_); }

    std::error_code add(int fd, std::uint64_t token) noexcept override;
    std::error_code remove(int fd) noexcept override;
    std::expected<std::size_t, std::error_code> wait(
        std::span<poll_event> out, std::chrono::nanoseconds timeout) noexcept override;
    void wake() noexcept override;

    [[nodiscard]] Kernel& kernel() noexcept { return kernel_; }

private:
    using fflags_type = decltype(event_type::fflags);

    [[nodiscard]] static event_type make_event(std::uint64_t ident, int filter, int flags,
                                               fflags_type fflags, std::uint64_t token) noexcept;
    /// Applies one change; EINTR is retried (a change that was applied may be applied again).
    [[nodiscard]] std::error_code apply(event_type change) noexcept;
    [[nodiscard]] static poll_event translate(const event_type& event) noexcept;

    [[no_unique_address]] Kernel kernel_;
    int queue_ = -1;
    std::array<event_type, 256> buffer_{};
};

// ---------------------------------------------------------------------------------------------

template <class Kernel>
kqueue_poller<Kernel>::kqueue_poller(Kernel kernel) : kernel_(std::move(kernel)) {
    queue_ = kernel_.kqueue();
    if (queue_ < 0) throw std::system_error(errno, std::system_category(), "kqueue");
    if (std::error_code error = apply(
            make_event(0, Kernel::evfilt_user, Kernel::ev_add | Kernel::ev_clear, 0, wake_token))) {
        kernel_.close(queue_);
        throw std::system_error(error, "kevent");
    }
}

template <class Kernel>
auto kqueue_poller<Kernel>::make_event(std::uint64_t ident, int filter, int flags,
                                       fflags_type fflags, std::uint64_t token) noexcept
    -> event_type {
    event_type event{};
    event.ident = static_cast<decltype(event.ident)>(ident);
    event.filter = static_cast<decltype(event.filter)>(filter);
    event.flags = static_cast<decltype(event.flags)>(flags);
    event.fflags = fflags;
    event.udata = Kernel::to_udata(token);
    return event;
}

template <class Kernel>
std::error_code kqueue_poller<Kernel>::apply(event_type change) noexcept {
    int result = 0;
    do {
        result = kernel_.kevent(queue_, &change, 1, nullptr, 0, nullptr);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return {errno, std::system_category()};
    return {};
}

template <class Kernel>
std::error_code kqueue_poller<Kernel>::add(int fd, std::uint64_t token) noexcept {
    const auto ident = static_cast<std::uint64_t>(fd);
    const int flags = Kernel::ev_add | Kernel::ev_clear;
    if (auto error = apply(make_event(ident, Kernel::evfilt_read, flags, 0, token))) return error;
    if (auto error = apply(make_event(ident, Kernel::evfilt_write, flags, 0, token))) {
        static_cast<void>(
            apply(make_event(ident, Kernel::evfilt_read, Kernel::ev_delete, 0, token)));
        return error;
    }
    return {};
}

template <class Kernel>
std::error_code kqueue_poller<Kernel>::remove(int fd) noexcept {
    const auto ident = static_cast<std::uint64_t>(fd);
    auto read = apply(make_event(ident, Kernel::evfilt_read, Kernel::ev_delete, 0, 0));
    auto write = apply(make_event(ident, Kernel::evfilt_write, Kernel::ev_delete, 0, 0));
    return read ? read : write;
}

template <class Kernel>
std::expected<std::size_t, std::error_code> kqueue_poller<Kernel>::wait(
    std::span<poll_event> out, std::chrono::nanoseconds timeout) noexcept {
    // Fact: macOS refuses timeouts of more than 10^8 seconds; waking early is allowed.
    constexpr auto longest = std::chrono::hours{24};
    timespec limit{};
    timespec* limit_pointer = nullptr;
    if (timeout != forever && timeout.count() >= 0) {
        const auto bounded = std::min<std::chrono::nanoseconds>(timeout, longest);
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(bounded);
        limit.tv_sec = static_cast<std::time_t>(whole.count());
        limit.tv_nsec = static_cast<long>((bounded - whole).count());
        limit_pointer = &limit;
    }
    const int room = static_cast<int>(std::min(out.size(), buffer_.size()));
    const int count = kernel_.kevent(queue_, nullptr, 0, buffer_.data(), room, limit_pointer);
    if (count < 0) {
        if (errno == EINTR) return std::size_t{0};
        return std::unexpected(std::error_code(errno, std::system_category()));
    }
    std::size_t filled = 0;
    for (int i = 0; i < count; ++i) {
        const event_type& event = buffer_[static_cast<std::size_t>(i)];
        if (event.filter != Kernel::evfilt_user) out[filled++] = translate(event);
    }
    return filled;
}

template <class Kernel>
poll_event kqueue_poller<Kernel>::translate(const event_type& event) noexcept {
    // The two filters come as two events. An end of the writing side says the peer is gone, which
    // a reader must learn too; an end of the reading side leaves writing as it is.
    const bool ended = (event.flags & (Kernel::ev_eof | Kernel::ev_error)) != 0;
    const bool is_write = event.filter == Kernel::evfilt_write;
    return {.token = Kernel::to_token(event.udata),
            .readable = !is_write || ended,
            .writable = is_write,
            .hang_up = ended};
}

template <class Kernel>
void kqueue_poller<Kernel>::wake() noexcept {
    static_cast<void>(
        apply(make_event(0, Kernel::evfilt_user, 0, Kernel::note_trigger, wake_token)));
}

}  // namespace weft::detail
