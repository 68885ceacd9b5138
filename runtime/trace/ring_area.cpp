// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/ring_area.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

namespace weft::detail {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t table_offset = page;
constexpr std::size_t strings_offset = table_offset + max_rings * sizeof(ring_table_entry);
constexpr std::size_t fixed_bytes = strings_offset + string_area_bytes;
static_assert(fixed_bytes % page == 0);

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

}  // namespace

std::error_code ring_area::create(bool monotonic_ticks) noexcept {
    if (header_ != nullptr) return {};
    char name[32];
    std::snprintf(name, sizeof name, "weft-trace-%d", static_cast<int>(::getpid()));
    file_.reset(::memfd_create(name, MFD_CLOEXEC));
    if (file_ && ::ftruncate(file_.get(), static_cast<off_t>(fixed_bytes)) != 0) file_.reset();
    const int flags = file_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void* memory = ::mmap(nullptr, fixed_bytes, PROT_READ | PROT_WRITE, flags, file_.get(), 0);
    if (memory == MAP_FAILED) return last_error();
    size_ = fixed_bytes;
    header_ = new (memory) ring_area_header{};
    std::memcpy(header_->magic, "WEFTRING", sizeof header_->magic);
    header_->version = 1;
    header_->process = static_cast<std::uint32_t>(::getpid());
    header_->ring_table_offset = static_cast<std::uint32_t>(table_offset);
    header_->ring_table_entries = max_rings;
    header_->string_offset = static_cast<std::uint32_t>(strings_offset);
    header_->string_capacity = static_cast<std::uint32_t>(string_area_bytes);
    header_->monotonic_ticks = monotonic_ticks ? 1 : 0;
    return {};
}

auto ring_area::add_ring(std::uint64_t capacity, std::uint32_t& line) noexcept
    -> std::expected<trace_ring<real_environment>, std::error_code> {
    using word = trace_ring<real_environment>::word;
    static_assert(sizeof(word) == sizeof(std::uint64_t) && word::is_always_lock_free);
    if (rings_ == max_rings) {
        return std::unexpected(std::make_error_code(std::errc::too_many_files_open));
    }
    const std::size_t bytes = page + static_cast<std::size_t>(capacity) * sizeof(trace_record);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    off_t offset = 0;
    if (file_) {
        // Reserving the pages turns a lack of memory into an error here, not a SIGBUS at a record.
        offset = static_cast<off_t>(size_);
        const int failed = ::posix_fallocate(file_.get(), offset, static_cast<off_t>(bytes));
        if (failed != 0) return std::unexpected(std::error_code(failed, std::system_category()));
        flags = MAP_SHARED;
    }
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, file_.get(), offset);
    if (memory == MAP_FAILED) return std::unexpected(last_error());
    line = rings_++;
    mappings_[line] = {memory, bytes, file_ ? size_ : 0};
    // The words begin their lifetime as zeros: a reader never meets a record that nobody wrote.
    auto* words = reinterpret_cast<word*>(static_cast<std::byte*>(memory) + page);
    for (std::uint64_t i = 0; i < 2 * capacity; ++i) new (words + i) word;
    table_line(line).capacity = capacity;
    if (file_) size_ += bytes;
    return trace_ring<real_environment>{new (memory) word{0}, words, capacity};
}

void ring_area::describe_ring(std::uint32_t line, const ring_description& whose) noexcept {
    ring_table_entry& entry = table_line(line);
    entry.emitter = whose.emitter;
    entry.index = whose.index;
    entry.thread = whose.thread;
    entry.kind = whose.kind;
    std::memset(entry.name, 0, sizeof entry.name);
    whose.name.copy(entry.name, sizeof entry.name - 1);
    entry.offset.store(mappings_[line].offset, std::memory_order_release);  // P1: the line is whole
}

void ring_area::clear_description(std::uint32_t line) noexcept {
    table_line(line).offset.store(0, std::memory_order_release);  // P1: it means nothing now
}

ring_table_entry& ring_area::table_line(std::uint32_t line) noexcept {
    auto* table = reinterpret_cast<std::byte*>(header_) + table_offset;
    return reinterpret_cast<ring_table_entry*>(table)[line];
}

std::string_view ring_area::add_string(std::string_view text) noexcept {
    if (header_ == nullptr) return {};
    const std::uint64_t used = header_->string_used.load(std::memory_order_relaxed);  // own word
    if (text.size() > string_area_bytes - used) return {};
    auto* to = reinterpret_cast<char*>(header_) + strings_offset + used;
    std::memcpy(to, text.data(), text.size());
    header_->string_used.store(used + text.size(), std::memory_order_release);  // P2
    return {to, text.size()};
}

void ring_area::forget_after_fork() noexcept {
    // munmap rather than keep: a stray write of the child must not reach the parent's rings.
    for (std::uint32_t i = 0; i < rings_; ++i) ::munmap(mappings_[i].address, mappings_[i].bytes);
    if (header_ != nullptr) ::munmap(header_, fixed_bytes);
    file_.reset();
    header_ = nullptr;
    size_ = 0;
    rings_ = 0;
}

}  // namespace weft::detail
