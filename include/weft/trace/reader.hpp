// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Reads a .wtrace file: what weft-trace is built on, and what a test uses to ask what its tasks
// did. Nothing in a file is trusted: a damaged chunk is skipped and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/trace/file_format.hpp"
#include "weft/trace/layout.hpp"

namespace weft::trace {

/// One record with its whole stamp. `emitter` indexes `trace_file::emitters`.
struct recorded_event {
    std::uint64_t ticks = 0;
    std::uint64_t payload = 0;
    std::uint64_t sequence = 0;  // among the records of its emitter
    std::uint64_t lost = 0;      // records of this emitter that are missing just before this one
    std::uint32_t emitter = 0;
    event id = event::none;
};

struct recorded_emitter {
    std::uint32_t number = 0;
    unsigned kind = 0;  // emitter_kind
    std::uint32_t index = 0;
    std::uint32_t thread = 0;
    std::string name;
    std::uint64_t records = 0;
    std::uint64_t lost = 0;
};

struct recorded_location {
    std::string function;
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

/// An event's layout as the file has it.
struct recorded_layout {
    struct field {
        std::string name;
        unsigned bits = 0;
        field_kind kind = field_kind::number;
        std::vector<std::string> values;
    };
    std::string name;
    std::uint32_t level = 0;
    std::vector<field> fields;
};

class trace_file {
public:
    /// Reads the tables and finds the event chunks. The sentence says why a file is no trace.
    [[nodiscard]] static std::expected<trace_file, std::string> open(const std::string& path);
    [[nodiscard]] static std::expected<trace_file, std::string> parse(std::string bytes);

    /// Calls `visit` for each record, in the order of time; those of one emitter stay in the order
    /// in which they were written. Needs memory for one chunk of each emitter.
    void for_each(const std::function<void(const recorded_event&)>& visit) const;

    /// CLOCK_MONOTONIC, linear between the clock readings around it.
    [[nodiscard]] std::uint64_t to_monotonic(std::uint64_t ticks) const noexcept;
    [[nodiscard]] std::string_view meta(std::string_view key) const noexcept;
    [[nodiscard]] const recorded_layout* layout_for(event id) const noexcept;
    /// The raw fields of a payload, in layout order.
    [[nodiscard]] std::vector<std::uint64_t> fields(const recorded_event& e) const;
    [[nodiscard]] const recorded_location* location(id_space space,
                                                    std::uint32_t id) const noexcept;

    std::vector<recorded_emitter> emitters;
    std::vector<clock_sync> clocks;  // in the order of ticks
    std::map<task_id, std::string> task_names;
    std::uint64_t records = 0;
    std::uint64_t lost = 0;
    std::uint64_t damaged_chunks = 0;  // checksum or contents wrong
    std::uint64_t unread_bytes = 0;    // between chunks, and after the last whole one
    bool complete = false;             // the recording was stopped in order
    std::size_t size_bytes = 0;

private:
    struct chunk_place {
        std::size_t offset = 0;  // of its first record
        std::size_t end = 0;
        std::uint32_t count = 0;
        std::uint64_t sequence = 0;
        std::uint64_t ticks = 0;
        std::uint64_t lost = 0;
    };
    class cursor;
    struct loader;

    std::string bytes_;
    std::vector<std::vector<chunk_place>> chunks_;  // by emitter
    std::map<std::string, std::string, std::less<>> meta_;
    std::map<std::pair<id_space, std::uint32_t>, recorded_location> locations_;
    std::vector<recorded_layout> layouts_;  // by event number
};

}  // namespace weft::trace
