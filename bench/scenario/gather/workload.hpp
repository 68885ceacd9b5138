// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the contenders of gather agree on.
#pragma once

#include <cstdint>

namespace bench {

/// Children that are awaited together.
inline constexpr std::uint64_t gather_width = 100;

}  // namespace bench
