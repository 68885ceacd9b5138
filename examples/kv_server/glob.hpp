// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the patterns of CONFIG GET: `*` any text, `?` any character, the rest literally, in any
// case.
#pragma once

#include <cstddef>
#include <string_view>

namespace kv {

/// `lower` is in lower case. Time: the product of the lengths at worst, without recursion.
[[nodiscard]] constexpr bool matches_glob(std::string_view pattern,
                                          std::string_view lower) noexcept {
    constexpr std::size_t none = std::string_view::npos;
    std::size_t p = 0;
    std::size_t retry_pattern = none;  // just after the last star …
    std::size_t retry_text = 0;        // … and where the text goes on if the star takes one more
    for (std::size_t t = 0; t < lower.size();) {
        const char wanted = p < pattern.size() ? pattern[p] : '\0';
        const bool is_upper = wanted >= 'A' && wanted <= 'Z';
        const char folded = is_upper ? static_cast<char>(wanted + ('a' - 'A')) : wanted;
        if (p < pattern.size() && wanted == '*') {
            retry_pattern = ++p;
            retry_text = t;
        } else if (p < pattern.size() && (wanted == '?' || folded == lower[t])) {
            ++p;
            ++t;
        } else if (retry_pattern != none) {
            p = retry_pattern;
            t = ++retry_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace kv
