// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// foreign_spawn on Asio: co_spawn into a thread pool.
#include "foreign_spawn/workload.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> arrives(bench::tally& tally) {
    tally.arrive();
    co_return;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    asio::thread_pool pool(given.workers);
    bench::measure_foreign_spawn(
        given, [&](bench::tally& tally) { asio::co_spawn(pool, arrives(tally), asio::detached); });
}
