// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The .wtrace file: 16 bytes of preamble, then chunks. Each chunk says its length and checksum and
// can be read alone, so a truncated file reads up to its last whole chunk and a damaged one is
// skipped by looking for the next marker. All integers are little-endian; "varint" is LEB128 and
// "string" a varint length and the bytes.
//
//   preamble  "WEFTRACE" | u32 version | u32 recording: the same number in all files that one
//             weft-trace record made, 0 in others
//   chunk     u32 marker | u32 type | u32 payload bytes, at most 8 MiB | u32 CRC-32 of type, length
//             and payload
//   meta      "key=value" lines: process, command, clock, levels, ring_records, record_cost_ps, ...
//   layouts   for each event: u8 id | varint level | string name | u8 fields | for each field
//             (u8 bits, u8 kind, string name, string values)
//   clocks    for each reading: u64 ticks, monotonic, realtime, boottime (nanoseconds)
//   emitters  for each: varint number | u8 kind | varint index | varint thread id | string name
//   locations for each: u8 space (type, site, name) | varint id | varint line | varint column |
//             string function or name | string file
//   names     for each: varint task | string name
//   events    u32 emitter | u32 count | u64 sequence of the first | u64 ticks of the first |
//             u64 lost just before | records
//   end       "key=value" lines: records, lost, error
//
//   record    u8 event | varint zigzag(ticks - last) | fields, low bits first; a task as
//             varint zigzag(task - last task of this chunk), neighbours that together have at most
//             16 bits as one varint, any other as a varint. An event without layout: u64 payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::trace {

inline constexpr std::string_view file_magic = "WEFTRACE";
inline constexpr std::uint32_t file_version = 1;
inline constexpr std::size_t preamble_bytes = 16;
inline constexpr std::size_t recording_offset = 12;        // in the preamble
inline constexpr std::uint32_t chunk_marker = 0x4b4e4843;  // "CHNK"
inline constexpr std::size_t chunk_head_bytes = 16;
inline constexpr std::size_t max_payload_bytes = std::size_t{8} << 20;
inline constexpr std::size_t event_head_bytes = 32;
inline constexpr std::size_t clock_bytes = 32;
inline constexpr std::size_t max_varint_bytes = 10;
inline constexpr unsigned merged_field_bits = 16;

enum class chunk_type : std::uint32_t {
    meta = 1,
    layouts = 2,
    clocks = 3,
    emitters = 4,
    locations = 5,
    names = 6,
    events = 7,
    end = 8,
};

/// Which ids a location or name belongs to.
enum class id_space : std::uint8_t { type, site, name };

/// One reading of all clocks at the same moment.
struct clock_sync {
    std::uint64_t ticks = 0;
    std::uint64_t monotonic = 0;
    std::uint64_t realtime = 0;
    std::uint64_t boottime = 0;
};

[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t difference) noexcept {
    return difference << 1 ^ (std::uint64_t{0} - (difference >> 63));
}

[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t coded) noexcept {
    return coded >> 1 ^ (std::uint64_t{0} - (coded & 1));
}

/// Writes at most `max_varint_bytes` at `out`; returns the end of what it wrote.
constexpr unsigned char* put_varint(unsigned char* out, std::uint64_t value) noexcept {
    while (value >= 0x80) {
        *out++ = static_cast<unsigned char>(value | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<unsigned char>(value);
    return out;
}

/// CRC-32 (the polynomial of IEEE 802.3), continued from `crc`.
[[nodiscard]] std::uint32_t crc32(std::uint32_t crc, const unsigned char* data,
                                  std::size_t size) noexcept;

}  // namespace weft::trace
