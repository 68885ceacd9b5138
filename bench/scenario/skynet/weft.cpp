// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// skynet on weft: ten children of one when_all.
#include "contract/contract.hpp"

#include <weft/weft.hpp>

#include <tuple>
#include <utility>

namespace {

weft::coro<std::uint64_t> skynet(std::uint64_t first, std::uint64_t leaves);

template <std::uint64_t... Index>
auto children(std::uint64_t first, std::uint64_t share,
              std::integer_sequence<std::uint64_t, Index...>) {
    return weft::when_all(skynet(first + Index * share, share)...);
}

weft::coro<std::uint64_t> skynet(std::uint64_t first, std::uint64_t leaves) {
    if (leaves == 1) co_return first;
    const std::uint64_t share = leaves / 10;
    const auto sums =
        co_await children(first, share, std::make_integer_sequence<std::uint64_t, 10>());
    co_return std::apply([](auto... sum) { return (sum + ...); }, sums);
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_per_operation(given, given.size,
                                 [&] { return runtime.block_on(skynet(0, given.size)); });
}
