// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// nqueens: counts the ways to place n queens; every safe placement of the next queen is a child.
// The tree is irregular and its inner nodes have up to n children: what it measures is forking a
// number of children that only the run knows, and balancing them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

inline constexpr std::size_t max_queens = 16;

/// The column of each queen, row by row.
using board = std::array<std::int8_t, max_queens>;

/// Whether a queen in `column` of row `row` is attacked by none of the rows above it.
inline bool is_safe(const board& queens, std::size_t row, std::size_t column) {
    const int here = static_cast<int>(column);
    for (std::size_t above = 0; above < row; ++above) {
        const int distance = static_cast<int>(row - above);
        const int other = queens[above];
        if (other == here || other - here == distance || here - other == distance) return false;
    }
    return true;
}

inline board with_queen(board queens, std::size_t row, std::size_t column) {
    queens[row] = static_cast<std::int8_t>(column);
    return queens;
}

}  // namespace bench
