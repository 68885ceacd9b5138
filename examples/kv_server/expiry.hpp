// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: how EX, PX, EXAT, PXAT and the EXPIRE family turn a number into a deadline.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "entry.hpp"

namespace kv {

struct expiry_unit {
    bool in_seconds = true;  // else milliseconds
    bool is_date = false;    // counted from 1970, else from now
};

/// Nothing if the time is out of range. A time that has passed gives a deadline that has passed.
[[nodiscard]] inline std::optional<deadline> deadline_of(std::int64_t amount, expiry_unit unit,
                                                         const instant& now) noexcept {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    if (unit.in_seconds) {
        if (amount > most / 1000 || amount < least / 1000) return std::nullopt;
        amount *= 1000;
    }
    const std::int64_t wall = now.wall.count();
    if (unit.is_date) return now.steady + milliseconds(amount > wall ? amount - wall : 0);
    if (amount > most - wall) return std::nullopt;  // the date of the deadline must be expressible
    return now.steady + milliseconds(amount > 0 ? amount : 0);
}

[[nodiscard]] inline std::string invalid_expiry(std::string_view command_name) {
    return "ERR invalid expire time in '" + std::string(command_name) + "' command";
}

}  // namespace kv
