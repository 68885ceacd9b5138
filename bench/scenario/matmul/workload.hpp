// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// matmul: C = A B for square matrices of doubles, by halves: four independent quadrant products,
// joined, then four more on top of them. The leaves are 64 by 64, so that forking is a small part
// of the work and what counts is balance and locality.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

inline constexpr std::size_t leaf_order = 64;

/// A square window of a row-major matrix.
struct window {
    double* first;
    std::size_t stride;

    window quadrant(std::size_t row, std::size_t column, std::size_t half) const {
        return {first + row * half * stride + column * half, stride};
    }
};

/// c += a b for windows of `order`, by one thread. Never inlined, so that every contender runs the
/// same vectorised loop (inlined into a coroutine it was three times slower).
[[gnu::noinline]] inline void multiply_leaf(window a, window b, window c, std::size_t order) {
    for (std::size_t i = 0; i < order; ++i) {
        double* const __restrict out = c.first + i * c.stride;
        for (std::size_t k = 0; k < order; ++k) {
            const double scale = a.first[i * a.stride + k];
            const double* const in = b.first + k * b.stride;
            for (std::size_t j = 0; j < order; ++j) out[j] += scale * in[j];
        }
    }
}

/// The operands are small integers, so that every sum is exact in any order of additions.
struct matrices {
    explicit matrices(std::size_t n) : order(n), a(n * n), b(n * n), c(n * n) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                a[i * n + j] = static_cast<double>((3 * i + 5 * j + i * j) % 13);
                b[i * n + j] = static_cast<double>((7 * i + 2 * j + i * j) % 11);
            }
        }
    }

    void clear() { c.assign(c.size(), 0.0); }

    /// A sum that gives each entry of C a weight of its place.
    std::uint64_t checksum() const {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < c.size(); ++i) {
            sum += static_cast<std::uint64_t>(c[i]) * (i % 31 + 1);
        }
        return sum;
    }

    window window_of(std::vector<double>& matrix) const { return {matrix.data(), order}; }

    std::size_t order;
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> c;
};

}  // namespace bench
