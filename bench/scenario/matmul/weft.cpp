// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// matmul on weft: two when_all of four products each.
#include "matmul/workload.hpp"

#include "contract/contract.hpp"

#include <weft/weft.hpp>

namespace {

weft::coro<void> multiply(bench::window a, bench::window b, bench::window c, std::size_t order) {
    if (order <= bench::leaf_order) {
        bench::multiply_leaf(a, b, c, order);
        co_return;
    }
    const std::size_t half = order / 2;
    for (std::size_t k = 0; k < 2; ++k) {
        const bench::window above = a.quadrant(0, k, half);
        const bench::window below = a.quadrant(1, k, half);
        const bench::window left = b.quadrant(k, 0, half);
        const bench::window right = b.quadrant(k, 1, half);
        co_await weft::when_all(multiply(above, left, c.quadrant(0, 0, half), half),
                                multiply(above, right, c.quadrant(0, 1, half), half),
                                multiply(below, left, c.quadrant(1, 0, half), half),
                                multiply(below, right, c.quadrant(1, 1, half), half));
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::matrices m(given.size);
    for (unsigned i = 0; i < given.repeat; ++i) {
        m.clear();
        const auto start = std::chrono::steady_clock::now();
        runtime.block_on(multiply(m.window_of(m.a), m.window_of(m.b), m.window_of(m.c), m.order));
        bench::report(bench::nanoseconds_since(start) / 1e6, "ms", m.checksum());
    }
}
