// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/chunk_encoding.hpp"

#include <array>

#include "weft/trace/layout.hpp"

namespace weft::detail {

namespace {

/// The varints of a payload, precomputed for each event: merged neighbours count as one.
struct field_group {
    std::uint8_t shift = 0;
    std::uint8_t bits = 0;
    bool is_task = false;
};

struct event_shape {
    bool known = false;
    std::uint8_t groups = 0;
    std::array<field_group, trace::max_fields> group{};
};

constexpr event_shape shape_of(const trace::layout& layout) noexcept {
    event_shape shape;
    shape.known = true;
    std::uint8_t shift = 0;
    for (std::size_t i = 0; i < layout.field_count(); ++i) {
        const std::uint8_t bits = layout.fields[i].bits;
        const bool is_task = layout.fields[i].kind == trace::field_kind::task;
        field_group* last = shape.groups > 0 ? &shape.group[shape.groups - 1u] : nullptr;
        if (last != nullptr && !is_task && !last->is_task &&
            last->bits + bits <= static_cast<int>(trace::merged_field_bits)) {
            last->bits = static_cast<std::uint8_t>(last->bits + bits);
        } else {
            shape.group[shape.groups++] = {shift, bits, is_task};
        }
        shift = static_cast<std::uint8_t>(shift + bits);
    }
    return shape;
}

constexpr std::array<event_shape, 256> make_shapes() noexcept {
    std::array<event_shape, 256> shapes{};
    for (const trace::layout& layout : trace_layouts::table) {
        shapes[static_cast<std::size_t>(layout.id)] = shape_of(layout);
    }
    return shapes;
}

constexpr std::array<event_shape, 256> shapes = make_shapes();

constexpr std::array<std::uint32_t, 256> make_crc_table() noexcept {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0xedb88320u : 0);
        table[i] = value;
    }
    return table;
}

constexpr std::array<std::uint32_t, 256> crc_table = make_crc_table();

}  // namespace

std::string encode_layouts() {
    std::string payload;
    for (const trace::layout& layout : trace_layouts::table) {
        payload.push_back(static_cast<char>(layout.id));
        append_varint(payload, layout.level);
        append_string(payload, layout.name);
        payload.push_back(static_cast<char>(layout.field_count()));
        for (std::size_t i = 0; i < layout.field_count(); ++i) {
            const trace::field& field = layout.fields[i];
            payload.push_back(static_cast<char>(field.bits));
            payload.push_back(static_cast<char>(field.kind));
            append_string(payload, field.name);
            append_string(payload, field.values);
        }
    }
    return payload;
}

void append_event_head(std::string& to, const event_chunk_head& head) {
    append_fixed(to, head.emitter);
    append_fixed(to, head.count);
    append_fixed(to, head.sequence);
    append_fixed(to, head.ticks);
    append_fixed(to, head.lost);
}

void record_encoder::append(std::string& to, std::uint64_t ticks, const trace_record& record) {
    const auto id = static_cast<unsigned char>(record.stamp_and_event & 0xff);
    const event_shape& shape = shapes[id];
    unsigned char coded[1 + (1 + trace::max_fields) * trace::max_varint_bytes];
    unsigned char* end = coded;
    *end++ = id;
    end = trace::put_varint(end, trace::zigzag(ticks - last_ticks_));
    last_ticks_ = ticks;
    for (std::size_t i = 0; i < shape.groups; ++i) {
        const field_group& group = shape.group[i];
        std::uint64_t value =
            record.payload >> group.shift & ~std::uint64_t{0} >> (64 - group.bits);
        if (group.is_task) {
            const std::uint64_t difference = value - last_task_;
            last_task_ = value;
            value = trace::zigzag(difference);
        }
        end = trace::put_varint(end, value);
    }
    if (!shape.known) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            *end++ = static_cast<unsigned char>(record.payload >> shift);
        }
    }
    to.append(reinterpret_cast<const char*>(coded), static_cast<std::size_t>(end - coded));
}

}  // namespace weft::detail

namespace weft::trace {

std::uint32_t crc32(std::uint32_t crc, const unsigned char* data, std::size_t size) noexcept {
    crc = ~crc;
    for (std::size_t i = 0; i < size; ++i) {
        crc = crc >> 8 ^ weft::detail::crc_table[(crc ^ data[i]) & 0xff];
    }
    return ~crc;
}

}  // namespace weft::trace
