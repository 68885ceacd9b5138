// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Memory under the checker: while an execution runs, what the code under test allocates is listed,
// what it frees is poisoned and kept back until the execution ends. So a use after free meets
// poison instead of a new object, a double free is recognised, and what is left at the end is a
// leak. allocation.cpp replaces the global operator new and delete of every executable that links
// the engine. Array, sized and nothrow forms reach them through the library's defaults.
#pragma once

#include <cstddef>

namespace weft::model {

struct block_header {
    void* raw;
    std::size_t bytes;
    block_header* previous;
    block_header* next;
    std::size_t state;  // one of the values below
    std::size_t padding;
};
static_assert(sizeof(block_header) % 16 == 0, "keeps the block behind it aligned");

struct block_list {
    block_header* first = nullptr;
    std::size_t count = 0;
    void add(block_header* block) noexcept;
    void remove(block_header* block) noexcept;
    void free_all() noexcept;
};

class allocation_watch {
public:
    /// True while code under test runs: switched by the engine only.
    inline static bool is_on = false;
    /// Called on a second free of the same block, when set.
    inline static void (*on_double_free)(void* block) = nullptr;

    static void* allocate(std::size_t bytes, std::size_t alignment) noexcept;
    static void release(void* block) noexcept;

    [[nodiscard]] static std::size_t live_blocks() noexcept { return live_.count; }
    [[nodiscard]] static std::size_t live_bytes() noexcept;
    /// Ends an execution: returns quarantined blocks to the system, and live ones if `abandoned`.
    static void finish(bool abandoned) noexcept;

private:
    static constexpr std::size_t unwatched = 0x11, watched = 0x22, quarantined = 0x33;

    inline static block_list live_;
    inline static block_list freed_;
};

/// Switches the watch off for the engine's own work inside a modelled thread.
class unwatched_scope {
public:
    unwatched_scope() noexcept : before_(allocation_watch::is_on) {
        allocation_watch::is_on = false;
    }
    ~unwatched_scope() { allocation_watch::is_on = before_; }
    unwatched_scope(const unwatched_scope&) = delete;
    unwatched_scope& operator=(const unwatched_scope&) = delete;

private:
    bool before_;
};

}  // namespace weft::model
