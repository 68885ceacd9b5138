// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What lies where in the lifecycle word (lifecycle.hpp).
#pragma once

#include <cstdint>

namespace weft::detail {

struct lifecycle_bits {
    using word = std::uint64_t;
    static constexpr word state_mask = 3, active = 0, waiting = 1, done = 2;
    static constexpr word woken_bit = 4, busy_bit = 8;
    static constexpr std::uint32_t request_limit = 0xff;
    static constexpr word request_one = word{1} << 4, request_mask = word{request_limit} << 4;
    static constexpr word level_one = word{1} << 12, level_mask = word{0xff} << 12;
    static constexpr word epoch_one = word{1} << 20, epoch_mask = word{0xfff} << 20;
    static constexpr word counted_one = word{1} << 32;

    /// For which of these a suspension is put off.
    enum class heed : word {
        nothing = 0,
        requests = request_mask,
        all = request_mask | level_mask,
    };
    static constexpr bool asks(word w, heed what) noexcept {
        return (w & static_cast<word>(what)) != 0;
    }
    static constexpr word undelivered(word w) noexcept { return w & request_mask; }
    static constexpr std::uint32_t requests(word w) noexcept {
        return static_cast<std::uint32_t>(undelivered(w) / request_one);
    }
    static constexpr auto counted(word w) noexcept { return static_cast<std::uint32_t>(w >> 32); }
    static constexpr std::uint32_t epoch(word w) noexcept {
        return static_cast<std::uint32_t>((w & epoch_mask) >> 20);
    }
    static constexpr word next_epoch(word w) noexcept {
        return (w & ~epoch_mask) | ((w + epoch_one) & epoch_mask);
    }
};

}  // namespace weft::detail
