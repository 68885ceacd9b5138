// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Writes protocol buffer messages: the wire format and nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::tracetool {

class message {
public:
    message& number(unsigned field, std::uint64_t value) {
        varint(field << 3);
        varint(value);
        return *this;
    }

    message& fixed64(unsigned field, std::uint64_t value) {
        varint(field << 3 | 1);
        for (unsigned shift = 0; shift < 64; shift += 8) {
            bytes_.push_back(static_cast<char>(value >> shift & 0xff));
        }
        return *this;
    }

    message& text(unsigned field, std::string_view value) {
        varint(field << 3 | 2);
        varint(value.size());
        bytes_ += value;
        return *this;
    }

    message& child(unsigned field, const message& value) { return text(field, value.bytes_); }

    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }

private:
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
        bytes_.push_back(static_cast<char>(value));
    }

    std::string bytes_;
};

}  // namespace weft::tracetool
