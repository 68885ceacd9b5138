// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Where the pool's blocks are cut from: slabs of memory, each used from its beginning to its end by
// blocks of all sizes. The first ones are small; once there is much, each is what one huge page
// covers, so that going through a hundred thousand tasks misses no translation. Not shared: whoever
// has it holds a lock (frame_depot.hpp).
#pragma once

#include <cstddef>
#include <vector>

namespace weft::detail {

class block_slabs {
public:
    struct range {
        std::byte* first;
        std::size_t blocks;  // adjacent
    };

    block_slabs() = default;
    block_slabs(const block_slabs&) = delete;
    block_slabs& operator=(const block_slabs&) = delete;

    /// At least one block of `size` bytes and at most `wanted`, aligned to the largest power of two
    /// that divides `size`, or to 128: lines that a processor fetches in pairs. Throws
    /// std::bad_alloc.
    [[nodiscard]] range cut(std::size_t size, std::size_t wanted);

    /// What blocks hold no more was given back to the system, and is not to be filled up again to
    /// whole huge pages.
    void note_trim() noexcept;
    /// `block` goes out of the pool, and with it others near it: its slab may be a huge page again.
    void note_use(const std::byte* block) noexcept;

private:
    /// One that the system may hold in a huge page.
    struct huge_slab {
        std::byte* begin;
        bool is_plain;  // it was told not to
    };
    struct slab {
        std::byte* begin = nullptr;
        std::size_t bytes = 0;
        std::size_t used = 0;  // from its begin on
    };

    void begin_another(std::size_t at_least);
    void remember(std::byte* page) noexcept;
    [[nodiscard]] std::vector<huge_slab>::iterator place_of(const std::byte* begin) noexcept;

    slab current_;                 // that blocks are cut from
    std::vector<huge_slab> huge_;  // by address
    std::size_t plain_ = 0;        // of those
    std::size_t total_ = 0;        // bytes of all slabs, which live as long as the process
};

}  // namespace weft::detail
