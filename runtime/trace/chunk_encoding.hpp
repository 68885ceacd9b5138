// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Builds the payloads of chunks (see weft/trace/file_format.hpp) in strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/trace/file_format.hpp"
#include "weft/trace/ring.hpp"

namespace weft::detail {

inline void append_varint(std::string& to, std::uint64_t value) {
    unsigned char coded[trace::max_varint_bytes];
    const unsigned char* end = trace::put_varint(coded, value);
    to.append(reinterpret_cast<const char*>(coded), static_cast<std::size_t>(end - coded));
}

inline void append_string(std::string& to, std::string_view text) {
    append_varint(to, text.size());
    to.append(text);
}

template <class Integer>
void append_fixed(std::string& to, Integer value) {
    for (unsigned shift = 0; shift < 8 * sizeof value; shift += 8) {
        to.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff));
    }
}

/// The payload of the chunk that holds every event's layout.
[[nodiscard]] std::string encode_layouts();

/// What an events chunk says before its records.
struct event_chunk_head {
    std::uint32_t emitter = 0;
    std::uint32_t count = 0;
    std::uint64_t sequence = 0;
    std::uint64_t ticks = 0;
    std::uint64_t lost = 0;
};

void append_event_head(std::string& to, const event_chunk_head& head);

/// Encodes the records of one chunk, each relative to the one before it.
class record_encoder {
public:
    explicit record_encoder(std::uint64_t first_ticks) noexcept : last_ticks_(first_ticks) {}
    /// `ticks` is the whole stamp of `record`.
    void append(std::string& to, std::uint64_t ticks, const trace_record& record);

private:
    std::uint64_t last_ticks_;
    std::uint64_t last_task_ = 0;
};

}  // namespace weft::detail
