// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// skynet on libfork: nine children forked, the tenth called.
#include "contract/contract.hpp"

#include <array>

#include <libfork/core.hpp>
#include <libfork/schedule.hpp>

namespace {

inline constexpr auto skynet = [](auto self, std::uint64_t first,
                                  std::uint64_t leaves) -> lf::task<std::uint64_t> {
    if (leaves == 1) co_return first;
    const std::uint64_t share = leaves / 10;
    std::array<std::uint64_t, 10> sums{};
    for (std::uint64_t i = 0; i < 9; ++i) {
        co_await lf::fork[&sums[i], self](first + i * share, share);
    }
    co_await lf::call[&sums[9], self](first + 9 * share, share);
    co_await lf::join;
    std::uint64_t total = 0;
    for (const std::uint64_t sum : sums) total += sum;
    co_return total;
};

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    lf::lazy_pool pool(given.workers);
    bench::measure_per_operation(given, given.size, [&] {
        return lf::sync_wait(pool, skynet, std::uint64_t{0}, given.size);
    });
}
