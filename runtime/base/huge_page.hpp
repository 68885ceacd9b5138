// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Memory in the size and alignment of one huge page, from the system itself.
#pragma once

#include <cstddef>

namespace weft::detail {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

/// Zeroed once it is touched; whether it is one page or many small ones the system decides. Null
/// where the system refuses.
[[nodiscard]] std::byte* map_huge_page() noexcept;

}  // namespace weft::detail
