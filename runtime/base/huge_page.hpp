// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Memory in the size and alignment of one huge page, from the system itself, and pages of any
// memory back to it.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

/// Zeroed once it is touched; whether it is one page or many small ones the system decides. Null
/// where the system refuses.
[[nodiscard]] std::byte* map_huge_page() noexcept;

/// Whether the system is to make one page of it, and keep it so. Linux does that over and over
/// again, also where all but a few bytes have been given back.
void want_huge_page(std::byte* page, bool wanted) noexcept;

/// Lets the system take back the whole pages of [begin, end), which hold nothing that is needed:
/// the memory stays usable and is zeroed when it is touched again. Returns their bytes, 0 where the
/// system refuses.
std::size_t give_pages_back(std::byte* begin, std::byte* end) noexcept;

}  // namespace weft::detail
