// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Many connections at once, with reads that are timed out, tasks that are cancelled and streams
// that are closed at random: every byte that is read is the right one, everybody ends, and no
// descriptor is left.

#include <dirent.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/base/unique_fd.hpp"
#include "weft/net/tcp_listener.hpp"
#include "weft/net/tcp_stream.hpp"
#include "weft/runtime.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace std::chrono_literals;
using net::endpoint;
using net::tcp_listener;
using net::tcp_stream;

namespace {

using random_source = std::minstd_rand;

std::size_t below(random_source& random, std::size_t limit) { return random() % limit; }

std::size_t open_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return 0;
    std::size_t count = 0;
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

/// The byte at `position` of the stream with this number.
std::byte byte_at(std::size_t stream, std::size_t position) {
    return static_cast<std::byte>((stream * 31 + position * 7 + (position >> 8)) & 0xff);
}

void must(bool condition, const char* sentence) {
    if (!condition) throw std::logic_error(sentence);
}

coro<> echo(tcp_stream stream) {
    std::vector<std::byte> buffer(512);
    for (;;) {
        const auto count = co_await as_expected(stream.read_some(buffer));
        if (!count || *count == 0) co_return;
        const auto written =
            co_await as_expected(stream.write_all(std::span(buffer).first(*count)));
        if (!written) co_return;
    }
}

coro<> serve(tcp_listener& listener, std::size_t connections) {
    std::vector<task<>> handlers;
    for (std::size_t i = 0; i < connections; ++i) {
        tcp_stream stream = co_await listener.accept();
        handlers.push_back(create_task(echo(std::move(stream))));
    }
    for (auto& each : handlers) co_await each;
}

coro<> send_all(tcp_stream& stream, std::size_t number, std::size_t total, unsigned seed) {
    random_source random(seed);
    std::vector<std::byte> buffer;
    for (std::size_t sent = 0; sent < total;) {
        buffer.resize(std::min(total - sent, 1 + below(random, 700)));
        for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = byte_at(number, sent + i);
        co_await stream.write_all(buffer);
        sent += buffer.size();
        if (below(random, 4) == 0) co_await yield();
    }
}

/// Reads with timeouts that often expire: a timed-out read must not have taken anything.
coro<> receive_all(tcp_stream& stream, std::size_t number, std::size_t total, unsigned seed) {
    random_source random(seed);
    std::vector<std::byte> buffer(600);
    for (std::size_t got = 0; got < total;) {
        const auto part = std::span(buffer).first(1 + below(random, buffer.size()));
        std::size_t count = 0;
        const std::chrono::microseconds limit(below(random, 200));
        try {
            count = co_await with_timeout(limit, stream.read_some(part));
        } catch (const timeout_error&) {
            continue;
        }
        must(count > 0, "the stream ended early");
        for (std::size_t i = 0; i < count; ++i) {
            must(part[i] == byte_at(number, got + i), "a byte is wrong");
        }
        got += count;
    }
}

coro<> client(endpoint server, std::size_t number, unsigned seed) {
    tcp_stream stream = co_await tcp_stream::connect(server);
    const std::size_t total = 20'000;
    auto sender = create_task(send_all(stream, number, total, seed));
    co_await receive_all(stream, number, total, seed + 1);
    co_await sender;
}

coro<> many_connections(std::size_t connections, unsigned seed) {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    auto server = create_task(serve(listener, connections));
    std::vector<task<>> clients;
    for (std::size_t i = 0; i < connections; ++i) {
        const auto own_seed = seed + static_cast<unsigned>(i) * 2;
        clients.push_back(create_task(client(listener.local_endpoint(), i, own_seed)));
    }
    for (auto& each : clients) co_await each;
    co_await server;
}

coro<> read_to_the_end(tcp_stream& stream) {
    std::byte buffer[16];
    for (;;) {
        const auto count = co_await as_expected(stream.read_some(buffer));
        if (!count || *count == 0) co_return;
    }
}

/// One short life: somebody reads, then the stream is closed, cancelled, reset or ended, at a
/// moment that varies.
coro<> short_life(endpoint server, unsigned seed) {
    random_source random(seed);
    tcp_stream stream = co_await tcp_stream::connect(server);
    if (below(random, 3) == 0) stream.set_linger(0s);
    auto reader = create_task(read_to_the_end(stream));
    for (std::size_t pause = below(random, 6); pause > 0; --pause) co_await yield();
    static_cast<void>(co_await as_expected(stream.write_all(std::as_bytes(std::span("abc")))));
    switch (below(random, 4)) {
        case 0:
            stream.close();
            break;
        case 1:
            reader.cancel();
            break;
        case 2:
            stream.shutdown(net::shutdown_how::write);
            break;
        default:
            reader.cancel();
            stream.close();
            break;
    }
    try {
        co_await reader;
    } catch (const cancelled&) {
        if (!reader.cancelled()) throw;
    }
}

coro<> connection_storm(std::size_t lives, unsigned seed) {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    const endpoint server_endpoint = listener.local_endpoint();
    auto server = create_task(serve(listener, lives));
    std::vector<task<>> alive;
    for (std::size_t i = 0; i < lives; ++i) {
        alive.push_back(create_task(short_life(server_endpoint, seed + static_cast<unsigned>(i))));
        if (alive.size() < 32) continue;
        for (auto& each : alive) co_await each;
        alive.clear();
    }
    for (auto& each : alive) co_await each;
    co_await server;
}

/// A connection that lives through several runtimes; nobody reads at its raw end.
struct lasting {
    tcp_stream stream;
    detail::unique_fd peer;
};

std::vector<lasting> lasting_streams(std::size_t count) {
    std::vector<lasting> all(count);
    for (lasting& each : all) {
        int ends[2];
        must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
        each.stream = tcp_stream::adopt(ends[0]);
        each.peer.reset(ends[1]);
    }
    return all;
}

coro<> wait_to_read(tcp_stream& stream) {
    std::byte one{};
    try {
        co_await with_timeout(2ms, stream.read_exactly(std::span(&one, 1)));
        must(false, "a read got what nobody sent");
    } catch (const timeout_error&) {
        co_return;
    }
}

coro<> wait_to_write(tcp_stream& stream, std::span<const std::byte> more_than_fits) {
    try {
        co_await with_timeout(2ms, stream.write_all(more_than_fits));
        must(false, "a write found room where there is none");
    } catch (const timeout_error&) {
        co_return;
    }
}

coro<> wait_in_one_direction(std::vector<lasting>& streams) {
    std::vector<task<>> jobs;
    for (lasting& each : streams) jobs.push_back(create_task(wait_to_read(each.stream)));
    for (auto& each : jobs) co_await each;
}

/// Reader and writer find at once that the runtime in which the stream was registered is gone.
coro<> wait_in_both_directions(std::vector<lasting>& streams) {
    const std::vector<std::byte> data(1 << 20);
    std::vector<task<>> jobs;
    for (lasting& each : streams) {
        jobs.push_back(create_task(wait_to_write(each.stream, data)));
        jobs.push_back(create_task(wait_to_read(each.stream)));
    }
    for (auto& each : jobs) co_await each;
}

coro<> read_what_comes(std::vector<lasting>& streams) {
    for (lasting& each : streams) {
        std::byte one{};
        auto reader = create_task(net::to_coro(each.stream.read_exactly(std::span(&one, 1))));
        co_await yield();
        must(::send(each.peer.get(), "!", 1, MSG_NOSIGNAL) == 1, "the peer cannot send");
        co_await reader;
        must(one == std::byte{'!'}, "a byte is wrong");
    }
}

}  // namespace

TEST_CASE("many echoing connections with expiring reads keep every byte", "[net][stress]") {
    const std::size_t before = open_descriptors();
    const auto seed = static_cast<unsigned>(test::seed());
    const unsigned workers = GENERATE(1U, 2U, 4U);
    run(many_connections(test::stress_iterations(30), seed), runtime_options{.workers = workers});
    CHECK(open_descriptors() == before);
}

TEST_CASE("a storm of short connections leaves nothing behind", "[net][stress]") {
    const std::size_t before = open_descriptors();
    const auto seed = static_cast<unsigned>(test::seed());
    const unsigned workers = GENERATE(1U, 2U, 4U);
    run(connection_storm(test::stress_iterations(1000), seed), runtime_options{.workers = workers});
    CHECK(open_descriptors() == before);
}

TEST_CASE("streams of an ended runtime are used in both directions in the next", "[net][stress]") {
    const std::size_t before = open_descriptors();
    const runtime_options two{.workers = 2};
    for (std::size_t round = test::stress_iterations(60); round > 0; --round) {
        std::vector<lasting> streams = lasting_streams(16);
        run(wait_in_one_direction(streams), runtime_options{.workers = 1});
        run(wait_in_both_directions(streams), two);
        run(wait_in_both_directions(streams), two);
        run(read_what_comes(streams), two);
    }
    CHECK(open_descriptors() == before);
}
