// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/block_slabs.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "base/huge_page.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t smallest_slab = std::size_t{64} << 10;
constexpr std::align_val_t small_alignment{128};

}  // namespace

block_slabs::range block_slabs::cut(std::size_t size, std::size_t wanted) {
    const std::size_t alignment = std::min<std::size_t>(size & (~size + 1), 128);
    const auto begin_in = [&](const slab& from) {
        return (from.used + alignment - 1) / alignment * alignment;
    };
    if (begin_in(current_) + size > current_.bytes) begin_another(size);
    slab& from = current_;
    const std::size_t begin = begin_in(from);
    const std::size_t blocks = std::min(wanted, (from.bytes - begin) / size);
    from.used = begin + blocks * size;
    return {from.begin + begin, blocks};
}

/// As much as there is already: the number of slabs grows with the logarithm, up to huge pages.
void block_slabs::begin_another(std::size_t at_least) {
    const std::size_t wanted = std::max({total_, at_least, smallest_slab});
    slab fresh{.bytes = std::bit_ceil(std::min(wanted, huge_page_bytes))};
    if (fresh.bytes == huge_page_bytes) fresh.begin = map_huge_page();
    if (fresh.begin == nullptr) {
        if (fresh.bytes == huge_page_bytes) fresh.bytes = smallest_slab;  // what may be left
        fresh.begin = static_cast<std::byte*>(::operator new(fresh.bytes, small_alignment));
    }
    current_ = fresh;
    total_ += fresh.bytes;
}

}  // namespace weft::detail
