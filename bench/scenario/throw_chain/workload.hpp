// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the contenders of throw_chain agree on: the size is the depth of a chain.
#pragma once

#include <cstdint>

namespace bench {

/// Levels that are passed in one repetition, in chains of the given depth.
inline constexpr std::uint64_t thrown_levels = 50'000;

}  // namespace bench
