// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Streams between two tasks: what is sent arrives, ends are ends, errors are errors.

#include "net_kit.hpp"

#include <csignal>

#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> echo_until_end(tcp_stream& stream) {
    std::vector<std::byte> buffer(1000);
    for (;;) {
        const std::size_t count = co_await stream.read_some(buffer);
        if (count == 0) break;
        co_await stream.write_all(std::span(buffer).first(count));
    }
    stream.shutdown(net::shutdown_how::write);
}

coro<> send_and_end(tcp_stream& stream, std::span<const std::byte> data) {
    co_await stream.write_all(data);
    stream.shutdown(net::shutdown_how::write);
}

coro<std::string> echo_once(endpoint local) {
    stream_pair pair = co_await connected_pair(local);
    auto echo = create_task(echo_until_end(pair.far));
    co_await send_and_end(pair.near, bytes("hello, weft"));
    const std::vector<std::byte> back = co_await read_all(pair.near);
    co_await echo;
    co_return text(back);
}

bool has_ipv6() {
    try {
        static_cast<void>(tcp_listener::bind(endpoint::loopback_v6(0)));
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

}  // namespace

TEST_CASE("what is written is read, on both address families", "[net]") {
    CHECK(run_program(echo_once(endpoint::loopback_v4(0))) == "hello, weft");
    if (has_ipv6()) CHECK(run_program(echo_once(endpoint::loopback_v6(0))) == "hello, weft");
}

namespace {

coro<bool> round_trip(std::size_t size) {
    stream_pair pair = co_await connected_pair();
    // A small buffer makes the writer wait and wake many times.
    pair.near.set_send_buffer(4096);
    const std::vector<std::byte> data = pattern(size);
    auto echo = create_task(echo_until_end(pair.far));
    auto send = create_task(send_and_end(pair.near, data));
    const std::vector<std::byte> back = co_await read_all(pair.near, 777);
    co_await send;
    co_await echo;
    co_return back == data;
}

}  // namespace

TEST_CASE("a long transfer arrives byte for byte", "[net]") {
    const std::size_t size = GENERATE(1UL, 4095UL, 100'000UL);
    const unsigned workers = GENERATE(1U, 2U);
    CHECK(run_program(round_trip(size), workers));
}

namespace {

coro<> empty_buffers() {
    stream_pair pair = co_await connected_pair();
    WEFT_MUST(co_await pair.near.read_some({}) == 0);
    WEFT_MUST(co_await pair.near.write_some({}) == 0);
    co_await pair.near.read_exactly({});
    co_await pair.near.write_all({});
    co_await pair.near.write_all(bytes("x"));
    std::byte one{};
    WEFT_MUST(co_await pair.far.read_some(std::span(&one, 1)) == 1);
}

}  // namespace

TEST_CASE("an empty buffer completes at once and is no end of stream", "[net]") {
    run_program(empty_buffers());
}

namespace {

coro<> early_end() {
    stream_pair pair = co_await connected_pair();
    co_await send_and_end(pair.near, bytes("abc"));
    std::vector<std::byte> buffer(10);
    bool thrown = false;
    try {
        co_await pair.far.read_exactly(buffer);
    } catch (const net::incomplete_read_error& error) {
        thrown = error.partial() == 3 && error.expected() == 10 &&
                 error.code() == net::net_errc::end_of_stream;
    }
    WEFT_MUST(thrown);
    WEFT_MUST(text(std::span(buffer).first(3)) == "abc");
    const auto again = co_await as_expected(pair.far.read_exactly(buffer));
    WEFT_MUST(!again && again.error() == net::net_errc::end_of_stream);
    WEFT_MUST(co_await pair.far.read_some(buffer) == 0);
    const auto some = co_await as_expected(pair.far.read_some(buffer));
    WEFT_MUST(some.has_value() && *some == 0);
}

}  // namespace

TEST_CASE("an early end of the stream says how much came", "[net]") { run_program(early_end()); }

namespace {

coro<> half_close(bool near_first) {
    stream_pair pair = co_await connected_pair();
    tcp_stream& first = near_first ? pair.near : pair.far;
    tcp_stream& second = near_first ? pair.far : pair.near;
    co_await send_and_end(first, bytes("question"));
    WEFT_MUST(text(co_await read_all(second)) == "question");
    // The other direction still works, in any number of steps.
    for (int i = 0; i < 3; ++i) co_await second.write_all(bytes("answer"));
    second.shutdown(net::shutdown_how::write);
    WEFT_MUST(text(co_await read_all(first)) == "answeransweranswer");
    std::byte one{};
    WEFT_MUST(co_await second.read_some(std::span(&one, 1)) == 0);
    const auto refused = co_await as_expected(second.write_some(bytes("x")));
    WEFT_MUST(!refused && refused.error() == std::errc::broken_pipe);
}

}  // namespace

TEST_CASE("each direction ends on its own, in either order", "[net]") {
    run_program(half_close(true));
    run_program(half_close(false));
}

namespace {

coro<std::error_code> write_into_reset() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    detail::unique_fd peer = raw_connect(listener.local_endpoint());
    tcp_stream stream = co_await listener.accept();
    const std::vector<std::byte> much = pattern(1 << 16);
    co_await stream.write_some(much);
    raw_reset(peer);
    for (;;) {
        const auto result = co_await as_expected(stream.write_some(much));
        if (!result) co_return result.error();
    }
}

}  // namespace

TEST_CASE("a reset in the middle of a write is an error and no signal", "[net]") {
    // The default action of SIGPIPE would end the test program.
    REQUIRE(std::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    const std::error_code error = run_program(write_into_reset());
    CHECK((error == std::errc::connection_reset || error == std::errc::broken_pipe));
}

namespace {

coro<std::error_code> read_from_reset() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    detail::unique_fd dead = raw_connect(listener.local_endpoint());
    raw_reset(dead);
    detail::unique_fd alive = raw_connect(listener.local_endpoint());
    // Fact: Linux hands the dead connection out; its first read says so.
    tcp_stream first = co_await listener.accept();
    tcp_stream second = co_await listener.accept();
    std::byte one{};
    const auto result = co_await as_expected(first.read_some(std::span(&one, 1)));
    WEFT_MUST(::send(alive.get(), "x", 1, MSG_NOSIGNAL) >= 0);
    WEFT_MUST(co_await second.read_some(std::span(&one, 1)) == 1);
    co_return result ? std::error_code{} : result.error();
}

}  // namespace

TEST_CASE("a connection that was reset before accept does not stop the listener", "[net]") {
    CHECK(run_program(read_from_reset()) == std::errc::connection_reset);
}

namespace {

coro<std::error_code> connect_to_nobody() {
    endpoint free_port;
    {
        tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
        free_port = listener.local_endpoint();
    }
    const auto refused = co_await as_expected(tcp_stream::connect(free_port));
    WEFT_MUST(!refused);
    try {
        static_cast<void>(co_await tcp_stream::connect(free_port));
        WEFT_MUST(false);
    } catch (const std::system_error& error) {
        WEFT_MUST(error.code() == refused.error());
    }
    co_return refused.error();
}

}  // namespace

TEST_CASE("connecting to a port where nobody listens is refused", "[net]") {
    CHECK(run_program(connect_to_nobody()) == std::errc::connection_refused);
}

namespace {

coro<> options_and_names() {
    stream_pair pair = co_await connected_pair();
    WEFT_MUST(pair.near.local_endpoint() == pair.far.remote_endpoint());
    WEFT_MUST(pair.near.remote_endpoint() == pair.far.local_endpoint());
    pair.near.set_no_delay(true);
    pair.near.set_keep_alive(true);
    pair.near.set_send_buffer(1 << 16);
    pair.near.set_receive_buffer(1 << 16);
    pair.near.set_linger(std::nullopt);
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    WEFT_MUST(::getsockopt(pair.near.native_handle(), IPPROTO_TCP, 1, &no_delay, &size) == 0);
    WEFT_MUST(no_delay != 0);
    // A linger of zero resets the connection when it is closed.
    pair.near.set_linger(0s);
    pair.near.close();
    std::byte one{};
    const auto result = co_await as_expected(pair.far.read_some(std::span(&one, 1)));
    WEFT_MUST(!result && result.error() == std::errc::connection_reset);
    bool refused = false;
    try {
        pair.near.set_no_delay(true);
    } catch (const std::system_error& error) {
        refused = error.code() == std::errc::bad_file_descriptor;
    }
    WEFT_MUST(refused);
}

}  // namespace

TEST_CASE("options and names reach the socket", "[net]") { run_program(options_and_names()); }

namespace {

coro<> release_and_adopt() {
    stream_pair pair = co_await connected_pair();
    // Registered by a wait first, so that releasing must take it out of the reactor.
    auto reader = create_task(read_all(pair.far));
    co_await pair.near.write_all(bytes("one "));
    while (reader.done()) co_await yield();
    bool busy = false;
    co_await sleep(1ms);
    try {
        static_cast<void>(pair.far.release());
    } catch (const std::system_error& error) {
        busy = error.code() == std::errc::device_or_resource_busy;
    }
    WEFT_MUST(busy);
    const int raw = pair.near.release();
    WEFT_MUST(!pair.near.is_open());
    tcp_stream again = tcp_stream::adopt(raw);
    co_await again.write_all(bytes("two"));
    again.close();
    WEFT_MUST(text(co_await reader) == "one two");
}

}  // namespace

TEST_CASE("a descriptor can be released and adopted again", "[net]") {
    run_program(release_and_adopt());
}

namespace {

coro<tcp_stream> hand_out(tcp_stream* kept) {
    stream_pair pair = co_await connected_pair();
    // Make both ends known to this runtime's reactor.
    auto reader = create_task(net::to_coro(pair.near.read_some({})));
    co_await reader;
    std::byte one{};
    bool timed_out = false;
    try {
        co_await with_timeout(1ms, pair.near.read_some(std::span(&one, 1)));
    } catch (const timeout_error&) {
        timed_out = true;
    }
    WEFT_MUST(timed_out);
    *kept = std::move(pair.far);
    co_return std::move(pair.near);
}

coro<std::string> use_in_another_runtime(tcp_stream near, tcp_stream far) {
    auto echo = create_task(echo_until_end(far));
    co_await sleep(1ms);
    co_await send_and_end(near, bytes("still here"));
    const std::vector<std::byte> back = co_await read_all(near);
    co_await echo;
    co_return text(back);
}

}  // namespace

TEST_CASE("a stream outlives its runtime and works in the next one", "[net]") {
    tcp_stream far;
    tcp_stream near = run(hand_out(&far), runtime_options{.workers = 2});
    CHECK(run(use_in_another_runtime(std::move(near), std::move(far)),
              runtime_options{.workers = 2}) == "still here");
}
