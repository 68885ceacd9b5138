// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// matmul on libfork: twice three forks, a call and a join.
#include "matmul/workload.hpp"

#include "contract/contract.hpp"

#include <libfork/core.hpp>
#include <libfork/schedule.hpp>

namespace {

inline constexpr auto multiply = [](auto self, bench::window a, bench::window b, bench::window c,
                                    std::size_t order) -> lf::task<> {
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
        co_await lf::fork[self](above, left, c.quadrant(0, 0, half), half);
        co_await lf::fork[self](above, right, c.quadrant(0, 1, half), half);
        co_await lf::fork[self](below, left, c.quadrant(1, 0, half), half);
        co_await lf::call[self](below, right, c.quadrant(1, 1, half), half);
        co_await lf::join;
    }
};

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    lf::lazy_pool pool(given.workers);
    bench::matrices m(given.size);
    for (unsigned i = 0; i < given.repeat; ++i) {
        m.clear();
        const auto start = std::chrono::steady_clock::now();
        lf::sync_wait(pool, multiply, m.window_of(m.a), m.window_of(m.b), m.window_of(m.c),
                      m.order);
        bench::report(bench::nanoseconds_since(start) / 1e6, "ms", m.checksum());
    }
}
