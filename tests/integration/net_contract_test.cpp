// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the network promises besides its bytes: others get their turn while it never has to wait,
// and misuse is refused with a sentence.

#include "net_kit.hpp"

#include <csignal>

#include "support/child_process.hpp"
#include "weft/time/sleep.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> count_turns(int& turns) {
    for (;;) {
        ++turns;
        co_await yield();
    }
}

coro<std::size_t> accept_all(tcp_listener& listener, std::size_t wanted, std::size_t& accepted) {
    while (accepted < wanted) {
        tcp_stream stream = co_await listener.accept();
        ++accepted;
    }
    co_return accepted;
}

std::vector<detail::unique_fd> fill_queue(const tcp_listener& listener, std::size_t count) {
    std::vector<detail::unique_fd> peers;
    for (std::size_t i = 0; i < count; ++i) {
        peers.push_back(raw_connect(listener.local_endpoint()));
    }
    return peers;
}

coro<> turns_while_accepting() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    const auto peers = fill_queue(listener, 200);
    int turns = 0;
    auto other = create_task(count_turns(turns));
    std::size_t accepted = 0;
    static_cast<void>(co_await accept_all(listener, peers.size(), accepted));
    WEFT_MUST(turns > 0);
    other.cancel();
}

/// The turn is a cancellation point: a full queue cannot hold off a cancel.
coro<> cancel_while_accepting() {
    tcp_listener listener = tcp_listener::bind(endpoint::loopback_v4(0));
    const auto peers = fill_queue(listener, 200);
    std::size_t accepted = 0;
    auto acceptor = create_task(accept_all(listener, peers.size(), accepted));
    while (accepted == 0) co_await yield();
    acceptor.cancel();
    bool ended = false;
    try {
        static_cast<void>(co_await acceptor);
    } catch (const cancelled&) {
        ended = true;
    }
    WEFT_MUST(ended);
    WEFT_MUST(accepted < peers.size());
    // The cancelled accept took none of those that are left.
    static_cast<void>(co_await accept_all(listener, peers.size(), accepted));
}

}  // namespace

TEST_CASE("accepting from a full queue gives others a turn", "[net]") {
    run_program(turns_while_accepting(), 1);
}

TEST_CASE("accepting from a full queue can be cancelled", "[net]") {
    run_program(cancel_while_accepting(), 1);
}

namespace {

coro<int> reads_twice() {
    stream_pair pair = co_await connected_pair();
    co_await pair.near.write_all(bytes("ab"));
    std::byte one{};
    auto read = pair.far.read_some(std::span(&one, 1));
    static_cast<void>(co_await read);
    static_cast<void>(co_await read);
    co_return 0;
}

coro<int> reads_twice_as_expected() {
    stream_pair pair = co_await connected_pair();
    co_await pair.near.write_all(bytes("ab"));
    std::byte one{};
    auto read = as_expected(pair.far.read_some(std::span(&one, 1)));
    static_cast<void>(co_await read);
    static_cast<void>(co_await read);
    co_return 0;
}

coro<> await_named(net::io_operation<std::size_t>& read) { static_cast<void>(co_await read); }

coro<int> reads_in_two_tasks() {
    stream_pair pair = co_await connected_pair();
    std::byte one{};
    auto read = pair.far.read_some(std::span(&one, 1));
    auto first = create_task(await_named(read));
    auto second = create_task(await_named(read));
    co_await sleep(1ms);
    co_await pair.near.write_all(bytes("ab"));
    co_await first;
    co_await second;
    co_return 0;
}

}  // namespace

TEST_CASE("awaiting a network operation twice is refused with a sentence", "[net]") {
    for (coro<int> (*twice)() : {&reads_twice, &reads_twice_as_expected, &reads_in_two_tasks}) {
        const child_result result =
            in_child([twice] { return run(twice(), runtime_options{.workers = 1}); });
        CHECK(result.signal == SIGABRT);
        CHECK(result.output.find("is awaited once") != std::string::npos);
    }
}
