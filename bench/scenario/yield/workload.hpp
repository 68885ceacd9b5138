// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// yield: many tasks that do nothing but let the others run. An operation is one yield.
#pragma once

#include <cstdint>

namespace bench {

inline constexpr std::uint64_t yielding_tasks = 200;

}  // namespace bench
