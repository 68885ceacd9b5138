// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: from the name in a request to its command: a perfect hash, made once at start by trying
// multipliers until no two names share a slot. A lookup is one multiplication, one slot, one
// compare.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "command.hpp"

namespace kv {

class command_index {
public:
    /// The index of every command there is.
    [[nodiscard]] static const command_index& all();

    /// The command of that name in any case, or null.
    [[nodiscard]] const command* find(std::string_view name) const noexcept;
    [[nodiscard]] std::span<const command* const> commands() const noexcept { return commands_; }

private:
    // A name of up to 16 bytes in lower case, zero-padded: compares as two integers.
    struct packed_name {
        std::uint64_t head = 0;
        std::uint64_t tail = 0;
        friend bool operator==(const packed_name&, const packed_name&) = default;
    };
    struct slot {
        packed_name name;
        const command* target = nullptr;
    };

    command_index();
    static packed_name pack(std::string_view name) noexcept;
    [[nodiscard]] std::size_t slot_of(const packed_name& name) const noexcept;
    [[nodiscard]] bool try_fill(std::uint64_t multiplier);

    static constexpr std::size_t longest_name = sizeof(packed_name);
    static constexpr std::size_t slot_bits = 9;

    std::uint64_t multiplier_ = 0;
    std::vector<const command*> commands_;
    std::array<slot, std::size_t{1} << slot_bits> slots_{};
};

}  // namespace kv
