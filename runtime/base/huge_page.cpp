// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "base/huge_page.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace weft::detail {

std::byte* map_huge_page() noexcept {
    // Somewhere in twice the size lies a multiple of it; the rest goes back at once.
    void* const mapped = mmap(nullptr, 2 * huge_page_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* const all = static_cast<std::byte*>(mapped);
    const std::size_t before =
        huge_page_bytes - reinterpret_cast<std::uintptr_t>(all) % huge_page_bytes;
    std::byte* const page = all + before;
    munmap(all, before);
    if (before != huge_page_bytes) munmap(page + huge_page_bytes, huge_page_bytes - before);
#if defined(MADV_HUGEPAGE)
    madvise(page, huge_page_bytes, MADV_HUGEPAGE);  // a request that the system may decline
#endif
    return page;
}

}  // namespace weft::detail
