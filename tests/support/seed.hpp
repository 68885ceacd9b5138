// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The one source of randomness of a test run: WEFT_TEST_SEED where it is set, else drawn once when
// the executable starts. The test main prints it, so that every run can be replayed.
#pragma once

#include <cstdint>

namespace weft::test {

/// The seed of this run. Any thread, any time after main() began.
[[nodiscard]] std::uint64_t seed() noexcept;

}  // namespace weft::test
