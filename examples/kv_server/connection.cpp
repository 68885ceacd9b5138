// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "connection.hpp"

#include <array>
#include <chrono>
#include <span>
#include <system_error>

namespace kv {

using namespace std::chrono_literals;
namespace net = weft::net;

connection::connection(service& host, std::uint64_t id, net::tcp_stream stream)
    : stream_(std::move(stream)), session_(host, id) {
    note_time(instant::now().steady);
}

weft::coro<> connection::serve(sweeper& expiry) {
    if (!prepare_stream()) co_return;
    // Each await in a statement of its own: g++ 12 gets one on the right of && in a loop wrong.
    for (;;) {
        const bool has_more = co_await read();
        if (!has_more) co_return;
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

// False: the client left, or the server wants it to.
weft::coro<bool> connection::read() {
    const std::span<std::byte> room = session_.input().prepare();
    const auto count = co_await weft::as_expected(stream_.read_some(room));
    if (!count || *count == 0) co_return false;
    session_.input().commit(*count);
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

namespace {

weft::coro<> discard_rest(net::tcp_stream& stream) {
    std::array<std::byte, 4096> rest;
    for (;;) {
        const auto count = co_await weft::as_expected(stream.read_some(rest));
        if (!count || *count == 0) co_return;
    }
}

}  // namespace

// A socket that is closed with unread bytes in it resets the connection, and the reset may overtake
// the last answer: the client would never learn why. So: end our side, then wait for it to go.
weft::coro<> connection::part() {
    constexpr auto patience = 1s;
    try {
        stream_.shutdown(net::shutdown_how::write);
        co_await weft::with_timeout(patience, discard_rest(stream_));
    } catch (const weft::timeout_error&) {  // it keeps talking: it was warned
    } catch (const std::system_error&) {    // it is gone already
    }
}

void connection::finish_reading() noexcept {
    try {
        stream_.shutdown(net::shutdown_how::read);
    } catch (const std::system_error&) {  // the client was faster
    }
}

void connection::disconnect() noexcept {
    try {
        stream_.shutdown(net::shutdown_how::both);
    } catch (const std::system_error&) {
    }
}

}  // namespace kv
