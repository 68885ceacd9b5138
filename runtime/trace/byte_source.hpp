// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Takes integers and strings from bytes that may be damaged. After the first failure everything
// reads as zero and `ok` says no.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::detail {

class byte_source {
public:
    explicit byte_source(std::string_view bytes) noexcept : rest_(bytes) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

    template <class Unsigned>
    [[nodiscard]] Unsigned fixed() noexcept {
        std::uint64_t value = 0;
        const std::string_view bytes = take(sizeof(Unsigned));
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
        }
        return static_cast<Unsigned>(value);
    }

    [[nodiscard]] std::uint64_t varint() noexcept {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
            const auto byte = static_cast<unsigned char>(rest_[i]);
            value |= std::uint64_t{byte & 0x7fu} << 7 * i;
            if (byte < 0x80) {
                rest_.remove_prefix(i + 1);
                return value;
            }
        }
        return fail();
    }

    [[nodiscard]] std::string_view string() noexcept {
        const std::uint64_t size = varint();
        if (size > rest_.size()) {
            fail();
            return {};
        }
        return take(static_cast<std::size_t>(size));
    }

private:
    std::string_view take(std::size_t size) noexcept {
        if (size > rest_.size()) {
            fail();
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::uint64_t fail() noexcept {
        ok_ = false;
        rest_ = {};
        return 0;
    }

    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace weft::detail
