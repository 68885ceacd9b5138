// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/block_slabs.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <new>
#include <utility>

#include "base/huge_page.hpp"

namespace weft::detail {

namespace {

constexpr std::size_t smallest_slab = std::size_t{64} << 10;
constexpr std::align_val_t small_alignment{128};

}  // namespace

/// Where the first slab lies that begins at `begin` or after it.
auto block_slabs::place_of(const std::byte* begin) noexcept -> std::vector<huge_slab>::iterator {
    return std::ranges::lower_bound(huge_, begin, std::less{}, &huge_slab::begin);
}

void block_slabs::remember(std::byte* page) noexcept {
    try {
        huge_.insert(place_of(page), {page, false});
    } catch (const std::bad_alloc&) {
        return;  // what is trimmed of it may not stay so
    }
}

void block_slabs::note_trim() noexcept {
    for (huge_slab& each : huge_) {
        if (!std::exchange(each.is_plain, true)) want_huge_page(each.begin, false);
    }
    plain_ = huge_.size();
}

void block_slabs::note_use(const std::byte* block) noexcept {
    if (plain_ == 0) return;
    const auto offset = reinterpret_cast<std::uintptr_t>(block) % huge_page_bytes;
    const auto found = place_of(block - offset);
    if (found == huge_.end() || found->begin != block - offset || !found->is_plain) return;
    found->is_plain = false;
    --plain_;
    want_huge_page(found->begin, true);
}

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
    note_use(from.begin + begin);
    return {from.begin + begin, blocks};
}

/// As much as there is already: the number of slabs grows with the logarithm, up to huge pages.
void block_slabs::begin_another(std::size_t at_least) {
    const std::size_t wanted = std::max({total_, at_least, smallest_slab});
    slab fresh{.bytes = std::bit_ceil(std::min(wanted, huge_page_bytes))};
    if (fresh.bytes == huge_page_bytes) {
        fresh.begin = map_huge_page();
        if (fresh.begin != nullptr) remember(fresh.begin);
    }
    if (fresh.begin == nullptr) {
        if (fresh.bytes == huge_page_bytes) fresh.bytes = smallest_slab;  // what may be left
        fresh.begin = static_cast<std::byte*>(::operator new(fresh.bytes, small_alignment));
    }
    current_ = fresh;
    total_ += fresh.bytes;
}

}  // namespace weft::detail
