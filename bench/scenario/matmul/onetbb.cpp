// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// matmul on oneTBB: two task groups of four products, the fourth of each in the caller.
#include "matmul/workload.hpp"

#include "contract/contract.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

namespace {

void multiply(bench::window a, bench::window b, bench::window c, std::size_t order) {
    if (order <= bench::leaf_order) return bench::multiply_leaf(a, b, c, order);
    const std::size_t half = order / 2;
    for (std::size_t k = 0; k < 2; ++k) {
        const auto part = [=](std::size_t row, std::size_t column) {
            multiply(a.quadrant(row, k, half), b.quadrant(k, column, half),
                     c.quadrant(row, column, half), half);
        };
        tbb::task_group group;
        group.run([&part] { part(0, 0); });
        group.run([&part] { part(0, 1); });
        group.run([&part] { part(1, 0); });
        part(1, 1);
        group.wait();
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, given.workers);
    tbb::task_arena arena(static_cast<int>(given.workers));
    bench::matrices m(given.size);
    for (unsigned i = 0; i < given.repeat; ++i) {
        m.clear();
        const auto start = std::chrono::steady_clock::now();
        arena.execute(
            [&] { multiply(m.window_of(m.a), m.window_of(m.b), m.window_of(m.c), m.order); });
        bench::report(bench::nanoseconds_since(start) / 1e6, "ms", m.checksum());
    }
}
