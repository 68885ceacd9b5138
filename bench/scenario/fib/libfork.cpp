// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// fib on libfork: one branch is forked, the other called.
#include "fib/workload.hpp"

#include "contract/contract.hpp"

#include <libfork/core.hpp>
#include <libfork/schedule.hpp>

namespace {

inline constexpr auto fib = [](auto self, std::uint64_t n) -> lf::task<std::uint64_t> {
    if (n < 2) co_return n;
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    co_await lf::fork[&left, self](n - 1);
    co_await lf::call[&right, self](n - 2);
    co_await lf::join;
    co_return left + right;
};

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    lf::lazy_pool pool(given.workers);
    bench::measure_per_operation(given, bench::fib_calls(given.size),
                                 [&] { return lf::sync_wait(pool, fib, given.size); });
}
