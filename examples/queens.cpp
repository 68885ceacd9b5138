// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Structured fork-join: in how many ways do n queens fit on a board? Every node of the search forks
// a child for each place that is left, into a list in its own frame, and waits for all of them.

#include <cstdint>
#include <cstdio>
#include <weft/weft.hpp>

constexpr int most_queens = 16;

/// What is attacked in the next row, a bit for each column.
struct attacked {
    std::uint32_t straight = 0, left = 0, right = 0;

    attacked with(std::uint32_t queen) const {
        return {straight | queen, (left | queen) << 1, (right | queen) >> 1};
    }
};

weft::coro<std::uint64_t> count_boards(attacked by, int rows, int n) {
    if (rows == 0) co_return 1;
    weft::inplace_vector<weft::coro<std::uint64_t>, most_queens> children;
    for (int column = 0; column < n; ++column) {
        const std::uint32_t queen = 1u << column;
        if (((by.straight | by.left | by.right) & queen) != 0) continue;
        children.push_back(count_boards(by.with(queen), rows - 1, n));
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t count : co_await weft::when_all(children)) sum += count;
    co_return sum;
}

int main() {
    for (int n : {4, 6, 8, 10}) {
        const std::uint64_t boards = weft::run(count_boards({}, n, n));
        std::printf("%2d queens: %llu boards\n", n, static_cast<unsigned long long>(boards));
    }
}
