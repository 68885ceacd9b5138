// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a thief brings home from a work deque.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::detail {

enum class steal_outcome : std::uint8_t {
    item,         ///< the item is the caller's
    empty,        ///< there was nothing, or the owner took the last
    lost_race,    ///< another claimed it first; more may be there
    not_in_turn,  ///< another thief has the turn; nothing was tried
};

template <class T>
struct stolen {
    steal_outcome outcome = steal_outcome::empty;
    T* item = nullptr;      ///< the oldest one taken
    std::size_t moved = 0;  ///< steal_half: how many more were pushed onto the thief's deque
    [[nodiscard]] explicit operator bool() const noexcept { return item != nullptr; }
};

}  // namespace weft::detail
