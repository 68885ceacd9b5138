// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Counts durations in buckets that are 3 % wide, so that percentiles of millions fit in a few KiB.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft::tracetool {

class histogram {
public:
    void add(std::uint64_t value) {
        const std::size_t index = index_of(value);
        if (index >= counts_.size()) counts_.resize(index + 1);
        ++counts_[index];
        ++count_;
        sum_ += static_cast<double>(value);
        max_ = std::max(max_, value);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] double sum() const noexcept { return sum_; }
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

    /// The lower end of the bucket that holds the value at `fraction` of all, or the maximum.
    [[nodiscard]] std::uint64_t percentile(double fraction) const noexcept {
        const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > rank) return std::min(lower_end(i), max_);
        }
        return max_;
    }

private:
    static constexpr unsigned sub_bits = 5;
    static constexpr std::uint64_t sub_count = 1u << sub_bits;

    static std::size_t index_of(std::uint64_t value) noexcept {
        if (value < sub_count) return static_cast<std::size_t>(value);
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1;
        return static_cast<std::size_t>((shift << sub_bits) + (value >> shift));
    }

    static std::uint64_t lower_end(std::size_t index) noexcept {
        if (index < 2 * sub_count) return index;
        const std::size_t shift = (index >> sub_bits) - 1;
        return (sub_count + (index & (sub_count - 1))) << shift;
    }

    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
    double sum_ = 0;
};

}  // namespace weft::tracetool
