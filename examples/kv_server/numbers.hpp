// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the only spelling of a number that the protocol and the commands accept, and its inverse.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace kv {

/// A signed 64-bit integer in canonical decimal form: no sign but a leading '-', no leading zero,
/// no "-0", no space. Everything else is no number.
[[nodiscard]] inline std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
    const bool negative = !text.empty() && text.front() == '-';
    const std::string_view digits = text.substr(negative ? 1 : 0);
    if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
    if (digits.front() == '0' && (negative || digits.size() > 1)) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The sum, or nothing where it does not fit.
[[nodiscard]] inline std::optional<std::int64_t> checked_add(std::int64_t left,
                                                             std::int64_t right) noexcept {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(left, right, &sum)) return std::nullopt;
    return sum;
}

/// The decimal text of an integer, without an allocation.
class integer_text {
public:
    explicit integer_text(std::int64_t value) noexcept
        : end_(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr) {}
    integer_text(const integer_text&) = delete;
    integer_text& operator=(const integer_text&) = delete;
    [[nodiscard]] std::string_view view() const noexcept {
        return {text_.data(), static_cast<std::size_t>(end_ - text_.data())};
    }

private:
    std::array<char, std::numeric_limits<std::int64_t>::digits10 + 3> text_;
    char* end_;
};

}  // namespace kv
