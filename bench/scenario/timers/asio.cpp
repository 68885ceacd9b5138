// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// timers on Asio: a coroutine with its own steady_timer for every sleep.
#include "timers/workload.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <latch>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> sleeper(std::chrono::steady_clock::time_point deadline, std::int64_t& late,
                              std::latch& all) {
    asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
    co_await timer.async_wait(asio::use_awaitable);
    late = bench::lateness(deadline);
    all.count_down();
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    asio::thread_pool pool(given.workers);
    for (unsigned repetition = 0; repetition < given.repeat; ++repetition) {
        std::vector<std::int64_t> late(given.size);
        std::latch all(static_cast<std::ptrdiff_t>(given.size));
        const auto start = std::chrono::steady_clock::now();
        for (std::uint64_t i = 0; i < given.size; ++i) {
            asio::co_spawn(pool, sleeper(bench::deadline_of(start, i, given.size), late[i], all),
                           asio::detached);
        }
        all.wait();
        bench::report_lateness(std::move(late));
    }
}
