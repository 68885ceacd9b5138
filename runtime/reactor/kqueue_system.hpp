// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The real kevent(2) as the policy of kqueue_poller. Macros become constants here, once. Where the
// platform has no <sys/event.h>, whoever includes this file declares its contents first: the tests
// do, so that this file is compiled and run on every platform.
#pragma once

#include <sys/types.h>
#include <unistd.h>
// The order matters: the BSD header needs the types above.
#if __has_include(<sys/event.h>)
#include <sys/event.h>
#endif

#include <cstdint>
#include <ctime>

namespace weft::detail {

struct kqueue_system {
    using event_type = struct kevent;

    static constexpr int evfilt_read = EVFILT_READ;
    static constexpr int evfilt_write = EVFILT_WRITE;
    static constexpr int evfilt_user = EVFILT_USER;
    static constexpr int ev_add = EV_ADD;
    static constexpr int ev_delete = EV_DELETE;
    static constexpr int ev_clear = EV_CLEAR;
    static constexpr int ev_eof = EV_EOF;
    static constexpr int ev_error = EV_ERROR;
    static constexpr decltype(event_type::fflags) note_trigger = NOTE_TRIGGER;

    [[nodiscard]] static auto to_udata(std::uint64_t token) noexcept {
        return reinterpret_cast<decltype(event_type::udata)>(static_cast<std::uintptr_t>(token));
    }
    [[nodiscard]] static std::uint64_t to_token(decltype(event_type::udata) udata) noexcept {
        return reinterpret_cast<std::uintptr_t>(udata);
    }
    int kqueue() noexcept { return ::kqueue(); }
    int kevent(int queue, const event_type* changes, int change_count, event_type* events,
               int event_count, const timespec* timeout) noexcept {
        return ::kevent(queue, changes, change_count, events, event_count, timeout);
    }
    void close(int fd) noexcept { ::close(fd); }
};

}  // namespace weft::detail
