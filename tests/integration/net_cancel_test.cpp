// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Network operations that are cancelled, closed under their task, or refused: nothing is lost,
// nothing hangs, nothing leaks.

#include "net_kit.hpp"

#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<std::size_t> read_into(tcp_stream& stream, std::span<std::byte> buffer) {
    co_return co_await stream.read_some(buffer);
}

/// Notes the count itself: a task that is cancelled between the end of its operation and its own
/// end is a cancelled task, although the operation completed.
coro<> read_and_note(tcp_stream& stream, std::span<std::byte> buffer, std::size_t& got) {
    got = co_await stream.read_some(buffer);
}

/// Until the task waits in its operation there is nothing to observe, so give it a little time:
/// too little only makes the test cover another case.
coro<> let_it_wait() { co_await sleep(2ms); }

template <class T>
coro<bool> ended_cancelled(task<T> job) {
    try {
        co_await job;
    } catch (const cancelled&) {
        co_return true;
    }
    co_return false;
}

coro<> cancel_before_start() {
    stream_pair pair = co_await connected_pair();
    co_await pair.near.write_all(bytes("data"));
    std::vector<std::byte> buffer(16);
    std::size_t got = 0;
    auto reader = create_task(read_and_note(pair.far, buffer, got));
    reader.cancel("early");
    static_cast<void>(co_await ended_cancelled(reader));
    // Cancelled before its first step, or too late: in each case the bytes are there once.
    co_await pair.far.read_exactly(std::span(buffer).subspan(got, 4 - got));
    WEFT_MUST(text(std::span(buffer).first(4)) == "data");
}

coro<> cancel_while_waiting() {
    stream_pair pair = co_await connected_pair();
    std::vector<std::byte> buffer(16);
    for (int i = 0; i < 20; ++i) {
        auto reader = create_task(read_into(pair.far, buffer));
        if (i % 2 == 0) co_await let_it_wait();
        reader.cancel();
        WEFT_MUST(co_await ended_cancelled(reader));
    }
    co_await pair.near.write_all(bytes("all of it"));
    co_await pair.far.read_exactly(std::span(buffer).first(9));
    WEFT_MUST(text(std::span(buffer).first(9)) == "all of it");
}

/// The cancel races with the byte: whoever loses, the byte is delivered exactly once.
coro<> cancel_against_data(int rounds) {
    stream_pair pair = co_await connected_pair();
    for (int i = 0; i < rounds; ++i) {
        std::byte one{};
        const auto expected = static_cast<std::byte>(i);
        std::size_t got = 0;
        auto reader = create_task(read_and_note(pair.far, std::span(&one, 1), got));
        for (int pause = i % 5; pause > 0; --pause) co_await yield();
        co_await pair.near.write_all(std::span(&expected, 1));
        if (i % 2 == 0) co_await yield();
        reader.cancel();
        static_cast<void>(co_await ended_cancelled(reader));
        if (got == 0) got = co_await pair.far.read_some(std::span(&one, 1));
        WEFT_MUST(got == 1);
        WEFT_MUST(one == expected);
    }
}

coro<> cancel_blocked_writer() {
    stream_pair pair = co_await connected_pair();
    pair.near.set_send_buffer(4096);
    const std::vector<std::byte> much = pattern(1 << 22);
    auto writer = create_task(net::to_coro(pair.near.write_all(much)));
    co_await let_it_wait();
    writer.cancel();
    WEFT_MUST(co_await ended_cancelled(writer));
    pair.near.close();
    // What had been taken by the kernel arrives, in order.
    const std::vector<std::byte> got = co_await read_all(pair.far);
    WEFT_MUST(got.size() < much.size());
    WEFT_MUST(std::equal(got.begin(), got.end(), much.begin()));
}

}  // namespace

TEST_CASE("a read cancelled before it started took nothing", "[net][cancel]") {
    run_program(cancel_before_start(), 1);
    run_program(cancel_before_start());
}

TEST_CASE("a read cancelled while it waited took nothing", "[net][cancel]") {
    run_program(cancel_while_waiting(), 1);
    run_program(cancel_while_waiting());
}

TEST_CASE("a byte that races with a cancel is delivered once", "[net][cancel]") {
    run_program(cancel_against_data(300), 1);
    run_program(cancel_against_data(300));
}

TEST_CASE("a cancelled writer stops, and what was sent is a prefix", "[net][cancel]") {
    run_program(cancel_blocked_writer());
}

namespace {

coro<> time_out_then_go_on() {
    stream_pair pair = co_await connected_pair();
    std::byte one{};
    for (int i = 0; i < 3; ++i) {
        bool timed_out = false;
        try {
            co_await with_timeout(1ms, pair.far.read_some(std::span(&one, 1)));
        } catch (const timeout_error&) {
            timed_out = true;
        }
        WEFT_MUST(timed_out);
    }
    co_await pair.near.write_all(bytes("z"));
    WEFT_MUST(co_await with_timeout(1h, pair.far.read_some(std::span(&one, 1))) == 1);
    WEFT_MUST(one == std::byte{'z'});
}

coro<> two_readers() {
    stream_pair pair = co_await connected_pair();
    std::vector<std::byte> first_buffer(8);
    std::vector<std::byte> second_buffer(8);
    auto first = create_task(read_into(pair.far, first_buffer));
    co_await let_it_wait();
    const auto second = co_await as_expected(pair.far.read_some(second_buffer));
    WEFT_MUST(!second && second.error() == std::errc::device_or_resource_busy);
    // A writer is another direction: it is welcome while the reader waits.
    co_await pair.far.write_all(bytes("w"));
    WEFT_MUST(co_await pair.near.read_some(second_buffer) == 1);
    co_await pair.near.write_all(bytes("r"));
    WEFT_MUST(co_await first == 1);
    WEFT_MUST(first_buffer[0] == std::byte{'r'});
}

coro<> close_under_reader_and_writer() {
    stream_pair pair = co_await connected_pair();
    pair.far.set_send_buffer(4096);
    std::vector<std::byte> buffer(8);
    const std::vector<std::byte> much = pattern(1 << 22);
    auto reader = create_task(read_into(pair.far, buffer));
    auto writer = create_task(net::to_coro(pair.far.write_all(much)));
    co_await let_it_wait();
    pair.far.close();
    pair.far.close();
    WEFT_MUST(!pair.far.is_open());
    for (int i = 0; i < 2; ++i) {
        bool ended = false;
        try {
            if (i == 0) {
                static_cast<void>(co_await reader);
            } else {
                co_await writer;
            }
        } catch (const std::system_error& error) {
            ended = error.code() == std::errc::operation_canceled;
        }
        WEFT_MUST(ended);
    }
    const auto late = co_await as_expected(pair.far.read_some(buffer));
    WEFT_MUST(!late && late.error() == std::errc::bad_file_descriptor);
    static_cast<void>(co_await read_all(pair.near));  // ends: the descriptor was really closed
}

coro<> destroy_under_reader() {
    std::vector<std::byte> buffer(8);
    task<std::size_t> reader;
    tcp_stream peer;
    {
        stream_pair pair = co_await connected_pair();
        reader = create_task(read_into(pair.far, buffer));
        co_await let_it_wait();
        peer = std::move(pair.near);
    }
    bool ended = false;
    try {
        static_cast<void>(co_await reader);
    } catch (const std::system_error& error) {
        ended = error.code() == std::errc::operation_canceled;
    }
    WEFT_MUST(ended);
    WEFT_MUST((co_await read_all(peer)).empty());
}

coro<> close_against_data(int rounds) {
    for (int i = 0; i < rounds; ++i) {
        stream_pair pair = co_await connected_pair();
        std::vector<std::byte> buffer(8);
        auto reader = create_task(read_into(pair.far, buffer));
        for (int pause = i % 4; pause > 0; --pause) co_await yield();
        co_await pair.near.write_all(bytes("x"));
        pair.far.close();
        try {
            static_cast<void>(co_await reader);
        } catch (const std::system_error& error) {
            WEFT_MUST(error.code() == std::errc::operation_canceled ||
                      error.code() == std::errc::bad_file_descriptor);
        }
    }
}

}  // namespace

TEST_CASE("a timed-out read can be repeated", "[net][cancel]") {
    run_program(time_out_then_go_on());
}

TEST_CASE("a second reader is refused at once, a writer is not", "[net][cancel]") {
    run_program(two_readers());
}

TEST_CASE("close ends the operations in flight", "[net][cancel]") {
    run_program(close_under_reader_and_writer());
    run_program(close_under_reader_and_writer(), 1);
}

TEST_CASE("destroying a stream ends the operations in flight", "[net][cancel]") {
    run_program(destroy_under_reader());
}

TEST_CASE("close races with data without a hang", "[net][cancel]") {
    run_program(close_against_data(100));
}

namespace {

coro<tcp_stream> accept_one(tcp_listener& listener) { co_return co_await listener.accept(); }

coro<> cancel_accept() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    auto acceptor = create_task(accept_one(listener));
    co_await let_it_wait();
    const auto busy = co_await as_expected(listener.accept());
    WEFT_MUST(!busy && busy.error() == std::errc::device_or_resource_busy);
    acceptor.cancel();
    WEFT_MUST(co_await ended_cancelled(acceptor));
    detail::unique_fd peer = raw_connect(listener.local_endpoint());
    tcp_stream accepted = co_await listener.accept();
    WEFT_MUST(accepted.is_open());
}

coro<> close_accept() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    auto acceptor = create_task(accept_one(listener));
    co_await let_it_wait();
    listener.close();
    bool ended = false;
    try {
        static_cast<void>(co_await acceptor);
    } catch (const std::system_error& error) {
        ended = error.code() == std::errc::operation_canceled;
    }
    WEFT_MUST(ended);
    const auto late = co_await as_expected(listener.accept());
    WEFT_MUST(!late && late.error() == std::errc::bad_file_descriptor);
}

/// Fact: Linux leaves a connect in SYN_SENT when the listener's queue is full.
coro<> cancel_connect() {
    tcp_listener listener =
        tcp_listener::bind(endpoint::loopback_v4(0), net::listen_options{.backlog = 0});
    const endpoint full = listener.local_endpoint();
    std::vector<detail::unique_fd> fill;
    fill.push_back(raw_connect(full));
    int timed_out = 0;
    std::vector<tcp_stream> more;
    for (int i = 0; i < 3; ++i) {
        try {
            more.push_back(co_await with_timeout(20ms, tcp_stream::connect(full)));
        } catch (const timeout_error&) {
            ++timed_out;
        }
    }
    WEFT_MUST(timed_out >= 2);
}

}  // namespace

TEST_CASE("a cancelled accept takes no connection", "[net][cancel]") {
    run_program(cancel_accept());
}

TEST_CASE("closing a listener ends its accept", "[net][cancel]") { run_program(close_accept()); }

TEST_CASE("a connect that nobody answers can be given up", "[net][cancel]") {
    run_program(cancel_connect());
}

namespace {

coro<> idle_after_reset(runtime& here) {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    detail::unique_fd peer = raw_connect(listener.local_endpoint());
    tcp_stream stream = co_await listener.accept();
    std::byte one{};
    bool timed_out = false;
    try {
        co_await with_timeout(1ms, stream.read_some(std::span(&one, 1)));  // registers
    } catch (const timeout_error&) {
        timed_out = true;
    }
    WEFT_MUST(timed_out);
    raw_reset(peer);
    co_await sleep(5ms);
    const runtime_statistics before = here.statistics();
    co_await sleep(50ms);
    const runtime_statistics after = here.statistics();
    // An edge is reported once; a level would be reported thousands of times in this time.
    WEFT_MUST(after.polls - before.polls < 200);
}

}  // namespace

TEST_CASE("a reset connection that nobody reads costs no processor time", "[net][cancel]") {
    runtime here(runtime_options{.workers = 1});
    here.block_on(idle_after_reset(here));
}
