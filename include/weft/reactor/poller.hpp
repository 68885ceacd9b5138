// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the reactor asks of the kernel: report, edge-triggered, which registered descriptors became
// readable or writable. One backend for epoll and one for kqueue, each a template on the system
// calls it uses so that tests run the same source against a kernel that fails on purpose.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <system_error>

namespace weft::detail {

struct poll_event {
    std::uint64_t token = 0;
    bool readable = false;
    bool writable = false;
    /// The peer closed, or the descriptor has an error: both directions are reported ready too.
    bool hang_up = false;
};

class poller {
public:
    /// Waits without a limit; any negative timeout means the same.
    static constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();
    /// Reserved for the poller's own wake-up channel.
    static constexpr std::uint64_t wake_token = UINT64_MAX;

    poller() = default;
    poller(const poller&) = delete;
    poller& operator=(const poller&) = delete;
    virtual ~poller() = default;

    /// Any thread. Registers both directions once; events carry `token`. What is ready already is
    /// reported as an event. Errors: as epoll_ctl(2) or kevent(2), and nothing stays registered.
    [[nodiscard]] virtual std::error_code add(int fd, std::uint64_t token) noexcept = 0;
    /// Any thread, before the descriptor is closed.
    virtual std::error_code remove(int fd) noexcept = 0;
    /// One thread at a time. Fills `out` and returns how many, zero after a time-out, a wake-up, a
    /// signal, or early when the timeout is longer than the kernel can express. Never returns
    /// before the timeout only because of rounding.
    [[nodiscard]] virtual std::expected<std::size_t, std::error_code> wait(
        std::span<poll_event> out, std::chrono::nanoseconds timeout) noexcept = 0;
    /// Any thread: makes the present or the next wait() return. Wake-ups may be merged.
    virtual void wake() noexcept = 0;
};

/// The backend of this platform. Throws std::system_error when the kernel has no more descriptors.
[[nodiscard]] std::unique_ptr<poller> make_system_poller();

}  // namespace weft::detail
