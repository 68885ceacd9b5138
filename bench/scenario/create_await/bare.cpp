// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// create_await on a bare loop: a frame and two turns of a queue.
#include "contract/bare_loop.hpp"
#include "contract/contract.hpp"

namespace {

bench::bare_task number(std::uint64_t i) { co_return i; }

bench::bare_task body(std::uint64_t size) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < size; ++i) sum += co_await number(i);
    co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    bench::measure_per_operation(given, given.size,
                                 [&] { return bench::run_bare(body(given.size)); });
}
