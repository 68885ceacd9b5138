// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "connection.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <span>
#include <system_error>
#include <utility>

namespace kv {

using namespace std::chrono_literals;
namespace net = weft::net;

connection::connection(service& host, std::uint64_t id, net::tcp_stream stream)
    : stream_(std::move(stream)), session_(host, id) {
    note_time(instant::now().steady);
}

weft::coro<> connection::serve(sweeper& expiry) {
    if (!prepare_stream()) co_return;
    self_ = weft::current_task();
    // Each await in a statement of its own: g++ 12 gets one on the right of && in a loop wrong.
    for (;;) {
        const bool has_more = co_await read();
        if (!has_more && !is_finishing()) co_return;  // the client left
        if (!has_more) break;
        const bool goes_on = co_await answer(expiry);
        if (!goes_on) break;
    }
    co_await part();
}

// Answers are written whole, so waiting for more before sending gains nothing. False: the client is
// gone already.
bool connection::prepare_stream() noexcept {
    try {
        stream_.set_no_delay(true);
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

// False: the client left, or the server stops and has read all that it will answer.
weft::coro<bool> connection::read() {
    if (begin_waiting()) {
        const std::span<std::byte> room = session_.input().prepare();
        std::optional<std::expected<std::size_t, std::error_code>> count;
        try {
            count = co_await weft::as_expected(stream_.read_some(room));
        } catch (const weft::cancelled&) {
            const bool was_finish = end_waiting();
            if (!was_finish || self_.cancelling() != 0) throw;
        }
        if (count) {
            end_waiting();
            if (!*count || **count == 0 || is_over()) co_return false;
            session_.input().commit(**count);
            co_return true;
        }
    }
    const bool has_more = co_await read_last();
    co_return has_more;
}

// What the kernel has in hand: FIONREAD, received and not read; SIOCOUTQ, written (the end of the
// stream included) and not acknowledged. Nothing if the socket has failed.
std::size_t connection::held(unsigned long request) const noexcept {
    int count = 0;
    if (::ioctl(stream_.native_handle(), request, &count) != 0) return 0;
    return static_cast<std::size_t>(std::max(count, 0));
}

// No more than what is there when it is first called, or a client that sends without pause would
// keep the server from ending.
weft::coro<bool> connection::read_last() {
    if (!last_bytes_) last_bytes_ = held(FIONREAD);
    if (*last_bytes_ == 0 || is_over()) co_return false;
    const std::span<std::byte> room = session_.input().prepare();
    const auto part = room.first(std::min(room.size(), *last_bytes_));
    const auto count = co_await weft::as_expected(stream_.read_some(part));
    if (!count || *count == 0) co_return false;
    session_.input().commit(*count);
    *last_bytes_ -= *count;
    co_return true;
}

// Executes what has arrived and writes all the answers at once. False: it was the last answer.
weft::coro<bool> connection::answer(sweeper& expiry) {
    const instant now = instant::now();
    note_time(now.steady);
    session::progress progress = session::progress::paused;
    while (progress == session::progress::paused) {
        progress = session_.run(now);
        expiry.wake();
        const auto bytes = std::as_bytes(std::span(session_.output()));
        for (std::size_t taken = 0; taken < bytes.size();) {
            const auto count = co_await weft::as_expected(stream_.write_some(bytes.subspan(taken)));
            if (!count) co_return false;
            taken += *count;
            const bool is_long = *count < bytes.size();  // who is busy reading it is not idle
            if (is_long) note_time(instant::now().steady);
        }
        session_.clear_output();
    }
    co_return progress != session::progress::closing;
}

// Until the client leaves. A body for with_timeout.
weft::coro<> connection::discard(std::size_t& count) {
    std::array<std::byte, 4096> rest;
    while (!is_over()) {
        const auto got = co_await weft::as_expected(stream_.read_some(rest));
        if (!got || *got == 0) co_return;
        count += *got;
    }
}

// Ends our side, then waits until the client goes or has taken the answers, and drops what it
// sends: a reset would overtake them. While the server stops, who has everything and is silent need
// not go, and who takes its answers slowly has the server's grace, which ends in disconnect().
weft::coro<> connection::part() {
    constexpr milliseconds patience = 1s;
    const bool is_silent = held(FIONREAD) == 0 && held(SIOCOUTQ) == 0;
    if (is_over() || (is_finishing() && is_silent)) co_return;
    try {
        stream_.shutdown(net::shutdown_how::write);
    } catch (const std::system_error&) {  // it is gone already
        co_return;
    }
    deadline last_progress = instant::now().steady;
    for (std::size_t untaken = held(SIOCOUTQ);;) {
        std::size_t heard = 0;
        const milliseconds pause = is_finishing() ? 20ms : patience;
        try {
            co_await weft::with_timeout(pause, discard(heard));
            co_return;
        } catch (const weft::timeout_error&) {  // still there
        }
        const deadline now = instant::now().steady;
        const std::size_t before = std::exchange(untaken, held(SIOCOUTQ));
        if (untaken != before) note_time(last_progress = now);
        if (is_finishing() && untaken == 0 && heard == 0) co_return;
        const bool has_grace = is_finishing() && untaken != 0;
        if (!has_grace && now - last_progress >= patience) co_return;
    }
}

bool connection::begin_waiting() noexcept {
    stage expected = stage::busy;
    return stage_.compare_exchange_strong(expected, stage::waiting,
                                          std::memory_order_release,   // P1: publishes self_
                                          std::memory_order_relaxed);  // finishing: nothing to see
}

// True: the server wants the connection to finish. Then its cancellation is taken back, delivered
// or not.
bool connection::end_waiting() noexcept {
    stage expected = stage::waiting;
    if (stage_.compare_exchange_strong(expected, stage::busy,
                                       std::memory_order_relaxed,     // the task's own
                                       std::memory_order_relaxed)) {  // P2: the mutex orders
        return false;
    }
    const std::scoped_lock lock(finish_mutex_);
    self_.uncancel();
    return true;
}

void connection::finish() noexcept {
    const std::scoped_lock lock(finish_mutex_);
    const stage before = stage_.exchange(stage::finishing, std::memory_order_acquire);  // P1: self_
    if (before == stage::waiting) self_.cancel("the server stops");
}

void connection::disconnect() noexcept {
    is_over_.store(true, std::memory_order_relaxed);  // looked at again and again
    try {
        stream_.shutdown(net::shutdown_how::both);
    } catch (const std::system_error&) {  // the client was faster
    }
}

}  // namespace kv
