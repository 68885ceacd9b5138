// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// create_await on Asio: co_spawn of a coroutine with use_awaitable, one at a time.
#include "contract/contract.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

namespace asio = boost::asio;

namespace {

asio::awaitable<std::uint64_t> number(std::uint64_t i) { co_return i; }

asio::awaitable<std::uint64_t> create_await(std::uint64_t size) {
    const auto executor = co_await asio::this_coro::executor;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; ++i) {
        sum += co_await asio::co_spawn(executor, number(i), asio::use_awaitable);
    }
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    asio::thread_pool pool(given.workers);
    bench::measure_per_operation(given, given.size, [&] {
        return asio::co_spawn(pool, create_await(given.size), asio::use_future).get();
    });
}
