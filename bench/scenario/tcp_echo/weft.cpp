// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_echo on weft: a task for every connection.
#include "contract/contract.hpp"

#include <weft/net/tcp_listener.hpp>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

namespace {

weft::coro<void> echo(weft::net::tcp_stream peer) {
    std::array<std::byte, 4096> buffer;
    try {
        peer.set_no_delay(true);
        for (;;) {
            const std::size_t n = co_await peer.read_some(buffer);
            if (n == 0) break;
            co_await peer.write_all(std::span(buffer).first(n));
        }
    } catch (const std::system_error&) {
        // The peer is gone.
    }
}

weft::coro<void> serve() {
    auto listener = weft::net::tcp_listener::bind(weft::net::endpoint::loopback_v4(0));
    std::printf("{\"port\": %u}\n", static_cast<unsigned>(listener.local_endpoint().port()));
    std::fflush(stdout);
    for (;;) weft::create_task(echo(co_await listener.accept()));
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::run(serve(), {.workers = given.workers});
}
