// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the contenders of cancel_chain agree on: the size is the depth of a chain, and what is
// measured is the time from the request to the end of the last task.
#pragma once

#include <cstdint>

namespace bench {

/// Tasks that are cancelled in one repetition, in chains of the given depth.
inline constexpr std::uint64_t cancelled_levels = 50'000;

}  // namespace bench
