// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tables for a terminal: the first column to the left, numbers to the right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tracetool {

class table {
public:
    explicit table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.size() == 1; }
    /// To standard output, indented by two.
    void print() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

/// "1.23 us": three significant digits and a unit that suits.
[[nodiscard]] std::string format_duration(double nanoseconds);
[[nodiscard]] std::string format_count(std::uint64_t count);
[[nodiscard]] std::string format_percent(double fraction);

}  // namespace weft::tracetool
