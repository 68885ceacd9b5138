// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A TCP echo server: one task accepts, one task a connection sends back what it gets. With a port
// as its argument it serves until SIGINT or SIGTERM; without one it serves a client of its own
// once.

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <weft/net/tcp_listener.hpp>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

using weft::net::endpoint;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

weft::coro<> echo(tcp_stream stream) {
    std::array<std::byte, 4096> buffer;
    for (;;) {
        // A peer that goes away in the middle is no reason to stop the server.
        const auto count = co_await weft::as_expected(stream.read_some(buffer));
        if (!count || *count == 0) co_return;
        const auto data = std::span(buffer).first(*count);
        const auto sent = co_await weft::as_expected(stream.write_all(data));
        if (!sent) co_return;
    }
}

weft::coro<> serve(tcp_listener listener) {
    for (;;) {
        tcp_stream stream = co_await listener.accept();
        weft::create_task(echo(std::move(stream)));
    }
}

weft::coro<> talk_once() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    const endpoint server = listener.local_endpoint();
    auto serving = weft::create_task(serve(std::move(listener)));

    tcp_stream stream = co_await tcp_stream::connect(server);
    constexpr std::string_view message = "hello from weft";
    co_await stream.write_all(std::as_bytes(std::span(message)));
    std::array<std::byte, message.size()> answer;
    co_await stream.read_exactly(answer);
    std::printf("sent \"%s\", got \"%.*s\"\n", message.data(), static_cast<int>(answer.size()),
                reinterpret_cast<const char*>(answer.data()));
    serving.cancel("the client is done");
}

weft::coro<> serve_on(std::uint16_t port) {
    tcp_listener listener = tcp_listener::bind(endpoint::any_v4(port));
    std::printf("echoing on %s\n", listener.local_endpoint().to_string().c_str());
    co_await serve(std::move(listener));
}

int main(int argc, char** argv) {
    if (argc < 2) {
        weft::run(talk_once());
        return 0;
    }
    try {
        const auto port = static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10));
        weft::run(serve_on(port), {.handle_signals = true});
    } catch (const weft::interrupted&) {
        std::puts("stopped");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_server: %s\n", error.what());
        return 1;
    }
}
