// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The clock behind the stamps: which counter may be used, and its relation to the system's clocks.
#pragma once

#include <cstdint>

#include "weft/trace/file_format.hpp"

namespace weft::detail {

/// Whether the processor's counter is constant, synchronous between cores and trusted by the kernel
/// as its own clock source. Reads a file: not for the hot path.
[[nodiscard]] bool tick_counter_is_usable() noexcept;

/// Reads all clocks at one moment: the best of 16 bracketed readings, about 20 ns apart.
[[nodiscard]] trace::clock_sync read_clocks(bool monotonic_ticks) noexcept;

/// The whole stamp of a record that kept its lower 56 bits and is near `reference`.
[[nodiscard]] constexpr std::uint64_t restore_stamp(std::uint64_t low56,
                                                    std::uint64_t reference) noexcept {
    const std::uint64_t difference = (low56 - reference) << 8;
    return reference +
           (difference >> 8 | ((difference >> 63) != 0 ? std::uint64_t{0xff} << 56 : 0));
}

}  // namespace weft::detail
