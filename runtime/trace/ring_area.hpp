// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The memory that tracing writes to: one memfd per process with a header page, a table of rings, a
// string area and the rings themselves. A process of the same user can map it through
// /proc/PID/fd and read the rings of a target that is hung or stopped.
//
// Protocol: ring area                              checked by: tests/unit/trace/ring_area_test.cpp
// Roles      control (under the registry's mutex) · outside reader (another process)
// Words      a table line's offset: 0 while the line is empty or changes · string_used
// Edges      P1 offset release → reader's acquire: the line describes the ring there
//            P2 string_used release → reader's acquire: the strings below it are whole
// Races      a line changes hands while an outside reader copies it: the reader looks at the offset
//            again afterwards, and at the emitter's number, which is never used twice
// Shutdown   the area lives as long as the process
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <system_error>

#include "weft/base/unique_fd.hpp"
#include "weft/trace/ring.hpp"

namespace weft::detail {

inline constexpr std::uint32_t max_rings = 1024;
inline constexpr std::size_t string_area_bytes = std::size_t{1} << 20;

/// One line of the ring table. `offset` is stored last: 0 while the line is not in use.
struct alignas(64) ring_table_entry {
    std::atomic<std::uint64_t> offset;
    std::uint64_t capacity;
    std::uint32_t emitter;
    std::uint32_t index;
    std::uint32_t thread;
    std::uint32_t kind;
    char name[24];
};
static_assert(sizeof(ring_table_entry) == 64);

struct ring_description {
    std::uint32_t emitter = 0;
    std::uint32_t index = 0;
    std::uint32_t thread = 0;
    std::uint32_t kind = 0;
    std::string_view name;  // at most 23 characters of it
};

struct ring_area_header {
    char magic[8];  // "WEFTRING"
    std::uint32_t version;
    std::uint32_t process;
    std::uint32_t ring_table_offset;
    std::uint32_t ring_table_entries;
    std::uint32_t string_offset;
    std::uint32_t string_capacity;
    std::atomic<std::uint64_t> string_used;  // release: the bytes below are whole
    std::uint32_t monotonic_ticks;
    std::uint32_t reserved;
};

class ring_area {
public:
    ring_area() = default;
    ring_area(const ring_area&) = delete;
    ring_area& operator=(const ring_area&) = delete;

    /// Creates the memfd, or anonymous memory where there is none. Idempotent. Under the registry's
    /// mutex, as are all calls below.
    [[nodiscard]] std::error_code create(bool monotonic_ticks) noexcept;
    [[nodiscard]] bool exists() const noexcept { return header_ != nullptr; }

    /// Room for a ring of `capacity` records, all pages present. Its line is empty as yet.
    [[nodiscard]] std::expected<trace_ring<real_environment>, std::error_code> add_ring(
        std::uint64_t capacity, std::uint32_t& line) noexcept;
    /// Tells outside readers whose ring it is.
    void describe_ring(std::uint32_t line, const ring_description& whose) noexcept;
    void clear_description(std::uint32_t line) noexcept;

    /// Copies `text` into the string area; an empty view when it is full.
    [[nodiscard]] std::string_view add_string(std::string_view text) noexcept;

    /// In a forked child: lets go of what belongs to the parent.
    void forget_after_fork() noexcept;

private:
    unique_fd file_;
    ring_area_header* header_ = nullptr;
    std::size_t size_ = 0;
    std::uint32_t rings_ = 0;
    struct mapping {
        void* address;
        std::size_t bytes;
        std::uint64_t offset;
    } mappings_[max_rings] = {};

    [[nodiscard]] ring_table_entry& table_line(std::uint32_t line) noexcept;
};

}  // namespace weft::detail
