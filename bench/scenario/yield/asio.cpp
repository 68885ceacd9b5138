// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// yield on Asio: 200 coroutines that post themselves.
#include "yield/workload.hpp"

#include "contract/contract.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <vector>

namespace asio = boost::asio;

namespace {

asio::awaitable<std::uint64_t> yield_times(std::uint64_t times) {
    const auto executor = co_await asio::this_coro::executor;
    for (std::uint64_t i = 0; i < times; ++i) {
        co_await asio::post(executor, asio::use_awaitable);
    }
    co_return times;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    asio::thread_pool pool(given.workers);
    bench::measure_per_operation(given, given.size, [&] {
        std::vector<std::future<std::uint64_t>> tasks;
        for (std::uint64_t i = 0; i < bench::yielding_tasks; ++i) {
            tasks.push_back(asio::co_spawn(pool, yield_times(given.size / bench::yielding_tasks),
                                           asio::use_future));
        }
        std::uint64_t total = 0;
        for (auto& task : tasks) total += task.get();
        return total;
    });
}
