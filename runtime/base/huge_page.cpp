// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "base/huge_page.hpp"

#include <sys/mman.h>
#include <unistd.h>

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
    want_huge_page(page, true);
    return page;
}

void want_huge_page([[maybe_unused]] std::byte* page, [[maybe_unused]] bool wanted) noexcept {
#if defined(MADV_HUGEPAGE)
    // A request that the system may decline.
    madvise(page, huge_page_bytes, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
}

std::size_t give_pages_back(std::byte* begin, std::byte* end) noexcept {
    static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
    const auto last = reinterpret_cast<std::uintptr_t>(end) / page * page;
    if (first >= last) return 0;
    const std::size_t bytes = last - first;
    return madvise(reinterpret_cast<void*>(first), bytes, MADV_DONTNEED) == 0 ? bytes : 0;
}

}  // namespace weft::detail
