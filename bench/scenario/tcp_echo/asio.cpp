// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_echo on Asio: a coroutine for every connection. Every worker has an io_context of its own, to
// which connections are dealt out in turn: what Asio recommends where speed matters.
#include "contract/contract.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

asio::awaitable<void> echo(tcp::socket peer) {
    std::array<char, 4096> buffer;
    try {
        peer.set_option(tcp::no_delay(true));
        for (;;) {
            const std::size_t n =
                co_await peer.async_read_some(asio::buffer(buffer), asio::use_awaitable);
            co_await asio::async_write(peer, asio::buffer(buffer, n), asio::use_awaitable);
        }
    } catch (const boost::system::system_error&) {
        // The peer is gone.
    }
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor, std::deque<asio::io_context>& contexts) {
    for (std::size_t turn = 0;; ++turn) {
        asio::io_context& context = contexts[turn % contexts.size()];
        tcp::socket peer = co_await acceptor.async_accept(context, asio::use_awaitable);
        asio::co_spawn(context, echo(std::move(peer)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    std::deque<asio::io_context> contexts;
    for (unsigned i = 0; i < given.workers; ++i) contexts.emplace_back(1);
    tcp::acceptor acceptor(contexts[0], tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    std::printf("{\"port\": %u}\n", static_cast<unsigned>(acceptor.local_endpoint().port()));
    std::fflush(stdout);
    asio::co_spawn(contexts[0], accept_all(acceptor, contexts), asio::detached);
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < contexts.size(); ++i) {
        threads.emplace_back([&context = contexts[i]] {
            const auto guard = asio::make_work_guard(context);
            context.run();
        });
    }
    contexts[0].run();
}
