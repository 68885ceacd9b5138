// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Opens a file: finds its whole chunks, reads the tables and notes where the records are.

#include "weft/trace/reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>
#include <unordered_map>

#include "trace/byte_source.hpp"

namespace weft::trace {

using weft::detail::byte_source;

namespace {

constexpr std::size_t max_text_lines = 256;
// How much may be hashed in vain, so that a file of heads without chunks takes linear time: two of
// the largest chunks, and so many bytes for each byte of the file that was passed.
constexpr std::uint64_t first_allowance = 2 * max_payload_bytes;
constexpr std::uint64_t allowance_per_byte = 8;

/// A layout that can be decoded: its fields fit the payload and `recorded_event` can hold them.
bool is_sound(const recorded_layout& layout) noexcept {
    unsigned bits = 0;
    for (const auto& field : layout.fields) {
        if (field.bits == 0 || field.bits > 64) return false;
        bits += field.bits;
    }
    return bits <= 64 && layout.fields.size() <= max_fields;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

}  // namespace

/// Reads the tables of a file chunk by chunk. Each `read_` says whether its chunk made sense.
struct trace_file::loader {
    trace_file& file;
    std::unordered_map<std::uint32_t, std::uint32_t> places = {};  // emitter number → index
    std::uint64_t hashed_in_vain = 0;

    std::uint32_t place_of(std::uint32_t number) {
        const auto next = static_cast<std::uint32_t>(file.emitters.size());
        const auto [found, is_new] = places.emplace(number, next);
        if (is_new) {
            file.emitters.emplace_back().number = number;
            file.chunks_.emplace_back();
        }
        return found->second;
    }

    bool read_text(byte_source in) {
        for (const std::string& line : split(in.rest(), '\n')) {
            const std::size_t equals = line.find('=');
            if (equals == std::string::npos || file.meta_.size() >= max_text_lines) return false;
            file.meta_[line.substr(0, equals)] = line.substr(equals + 1);
        }
        return true;
    }

    bool read_layouts(byte_source in) {
        file.layouts_.resize(256);
        while (!in.at_end()) {
            recorded_layout layout;
            const auto id = in.fixed<std::uint8_t>();
            layout.level = static_cast<std::uint32_t>(in.varint());
            layout.name = in.string();
            for (auto count = in.fixed<std::uint8_t>(); count > 0 && in.ok(); --count) {
                recorded_layout::field field;
                field.bits = in.fixed<std::uint8_t>();
                field.kind = static_cast<field_kind>(in.fixed<std::uint8_t>());
                field.name = in.string();
                field.values = split(in.string(), ' ');
                layout.fields.push_back(std::move(field));
            }
            if (!in.ok() || !is_sound(layout)) return false;
            file.layouts_[id] = std::move(layout);
        }
        return true;
    }

    bool read_clocks(byte_source in) {
        while (!in.at_end()) {
            clock_sync reading;
            reading.ticks = in.fixed<std::uint64_t>();
            reading.monotonic = in.fixed<std::uint64_t>();
            reading.realtime = in.fixed<std::uint64_t>();
            reading.boottime = in.fixed<std::uint64_t>();
            if (!in.ok()) return false;
            file.clocks.push_back(reading);
        }
        return true;
    }

    bool read_emitters(byte_source in) {
        while (!in.at_end()) {
            recorded_emitter emitter;
            emitter.number = static_cast<std::uint32_t>(in.varint());
            emitter.kind = in.fixed<std::uint8_t>();
            emitter.index = static_cast<std::uint32_t>(in.varint());
            emitter.thread = static_cast<std::uint32_t>(in.varint());
            emitter.name = in.string();
            if (!in.ok()) return false;
            recorded_emitter& known = file.emitters[place_of(emitter.number)];
            emitter.records = known.records;
            emitter.lost = known.lost;
            known = std::move(emitter);
        }
        return true;
    }

    bool read_locations(byte_source in) {
        while (!in.at_end()) {
            recorded_location location;
            const auto space = static_cast<id_space>(in.fixed<std::uint8_t>());
            const auto id = static_cast<std::uint32_t>(in.varint());
            location.line = static_cast<std::uint32_t>(in.varint());
            location.column = static_cast<std::uint32_t>(in.varint());
            location.function = in.string();
            location.file = in.string();
            if (!in.ok()) return false;
            file.locations_[{space, id}] = std::move(location);
        }
        return true;
    }

    bool read_names(byte_source in) {
        while (!in.at_end()) {
            const task_id task = in.varint();
            const std::string_view name = in.string();
            if (!in.ok()) return false;
            file.task_names[task] = name;
        }
        return true;
    }

    bool read_events(byte_source in) {
        const auto number = in.fixed<std::uint32_t>();
        chunk_place place;
        place.count = in.fixed<std::uint32_t>();
        place.sequence = in.fixed<std::uint64_t>();
        place.ticks = in.fixed<std::uint64_t>();
        place.lost = in.fixed<std::uint64_t>();
        // A record has at least two bytes: a count beyond that is a lie.
        if (!in.ok() || place.count > in.rest().size() / 2) return false;
        place.offset = static_cast<std::size_t>(in.rest().data() - file.bytes_.data());
        place.end = place.offset + in.rest().size();
        const std::uint32_t index = place_of(number);
        file.chunks_[index].push_back(place);
        file.emitters[index].records += place.count;
        file.emitters[index].lost += place.lost;
        file.records += place.count;
        file.lost += place.lost;
        return true;
    }

    bool read_chunk(chunk_type type, byte_source payload) {
        switch (type) {
            case chunk_type::meta:
                return read_text(payload);
            case chunk_type::layouts:
                return read_layouts(payload);
            case chunk_type::clocks:
                return read_clocks(payload);
            case chunk_type::emitters:
                return read_emitters(payload);
            case chunk_type::locations:
                return read_locations(payload);
            case chunk_type::names:
                return read_names(payload);
            case chunk_type::events:
                return read_events(payload);
            case chunk_type::end:
                file.complete = true;
                return read_text(payload);
        }
        return true;  // of a later version: not ours to judge
    }

    /// The payload of the chunk at `at` if it is whole. Where too much was hashed in vain already,
    /// a chunk that may be whole is passed over.
    [[nodiscard]] bool whole_chunk(std::size_t at, chunk_type& type, std::string_view& payload) {
        byte_source head(std::string_view(file.bytes_).substr(at));
        if (head.fixed<std::uint32_t>() != chunk_marker) return false;
        const auto* checked = reinterpret_cast<const unsigned char*>(file.bytes_.data()) + at + 4;
        type = static_cast<chunk_type>(head.fixed<std::uint32_t>());
        const auto size = head.fixed<std::uint32_t>();
        const auto crc = head.fixed<std::uint32_t>();
        if (!head.ok() || size > max_payload_bytes || head.rest().size() < size) return false;
        const std::uint64_t allowance = first_allowance + allowance_per_byte * at;
        if (hashed_in_vain + size > allowance) return false;
        payload = head.rest().substr(0, size);
        const auto* body = reinterpret_cast<const unsigned char*>(payload.data());
        const bool is_whole = crc32(crc32(0, checked, 8), body, size) == crc;
        if (!is_whole) hashed_in_vain += size;
        return is_whole;
    }

    void read_all() {
        static constexpr char marker[] = {'C', 'H', 'N', 'K'};
        std::size_t at = preamble_bytes;
        while (at < file.bytes_.size()) {
            chunk_type type{};
            std::string_view payload;
            if (whole_chunk(at, type, payload)) {
                if (!read_chunk(type, byte_source(payload))) ++file.damaged_chunks;
                at += chunk_head_bytes + payload.size();
                continue;
            }
            // Look for the next marker behind the damage.
            const std::size_t next = file.bytes_.find(marker, at + 1, sizeof marker);
            const std::size_t end = std::min(next, file.bytes_.size());
            if (next != std::string::npos) ++file.damaged_chunks;
            file.unread_bytes += end - at;
            at = end;
        }
    }
};

std::expected<trace_file, std::string> trace_file::open(const std::string& path) {
    struct closer {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    const std::unique_ptr<std::FILE, closer> file(std::fopen(path.c_str(), "rb"));
    if (!file) return std::unexpected(path + ": " + std::system_category().message(errno));
    std::string bytes;
    char block[1 << 16];
    while (const std::size_t size = std::fread(block, 1, sizeof block, file.get())) {
        bytes.append(block, size);
    }
    if (std::ferror(file.get()) != 0) {
        return std::unexpected(path + ": " + std::system_category().message(errno));
    }
    auto parsed = parse(std::move(bytes));
    if (!parsed) return std::unexpected(path + ": " + parsed.error());
    return parsed;
}

std::expected<trace_file, std::string> trace_file::parse(std::string bytes) {
    byte_source head(bytes);
    if (bytes.empty()) return std::unexpected("the file is empty");
    if (!bytes.starts_with(file_magic.substr(0, std::min(bytes.size(), file_magic.size())))) {
        return std::unexpected("not a weft trace");
    }
    if (bytes.size() < preamble_bytes) return std::unexpected("cut off within its first 16 bytes");
    static_cast<void>(head.fixed<std::uint64_t>());
    if (const auto version = head.fixed<std::uint32_t>(); version != file_version) {
        return std::unexpected("a trace of version " + std::to_string(version) +
                               "; this tool reads version " + std::to_string(file_version));
    }
    trace_file file;
    file.bytes_ = std::move(bytes);
    file.size_bytes = file.bytes_.size();
    loader{file}.read_all();
    if (file.layouts_.empty()) {
        return std::unexpected("no whole table of events: cut off at its start, or damaged");
    }
    std::sort(file.clocks.begin(), file.clocks.end(),
              [](const auto& a, const auto& b) { return a.ticks < b.ticks; });
    return file;
}

}  // namespace weft::trace
