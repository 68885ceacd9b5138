// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "table.hpp"

#include <algorithm>
#include <cstdio>

namespace weft::tracetool {

namespace {

constexpr std::size_t widest_first_column = 48;

std::string format(const char* pattern, double value) {
    char text[64];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

}  // namespace

void table::print() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    widths[0] = std::min(widths[0], widest_first_column);
    for (const auto& row : rows_) {
        const bool cut = row[0].size() > widths[0];
        const std::string first = cut ? row[0].substr(0, widths[0] - 3) + "..." : row[0];
        std::printf("  %-*s", static_cast<int>(widths[0]), first.c_str());
        for (std::size_t i = 1; i < row.size(); ++i) {
            std::printf("  %*s", static_cast<int>(widths[i]), row[i].c_str());
        }
        std::printf("\n");
    }
}

std::string format_duration(double nanoseconds) {
    static constexpr const char* units[] = {" ns", " us", " ms", " s"};
    std::size_t unit = 0;
    while (nanoseconds >= 999.5 && unit < 3) {
        nanoseconds /= 1000;
        ++unit;
    }
    const bool whole = unit == 0 || nanoseconds >= 99.95;
    const char* pattern = whole ? "%.0f" : nanoseconds >= 9.995 ? "%.1f" : "%.2f";
    return format(pattern, nanoseconds) + units[unit];
}

std::string format_count(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ' ');
    return digits;
}

std::string format_percent(double fraction) { return format("%.1f %%", fraction * 100); }

}  // namespace weft::tracetool
