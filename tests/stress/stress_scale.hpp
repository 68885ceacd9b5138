// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How much a stress test does: iterations are multiplied by WEFT_STRESS_SCALE, 1 where it is not
// set, so that the default stays short and a soak is one variable away.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace weft::test {

[[nodiscard]] inline std::size_t stress_iterations(std::size_t base) noexcept {
    const char* given = std::getenv("WEFT_STRESS_SCALE");
    const double scale = given == nullptr ? 1.0 : std::strtod(given, nullptr);
    return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(base) * scale));
}

}  // namespace weft::test
