// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "command_index.hpp"

#include <cstring>

namespace kv {
namespace {

// Eight characters at once: adds 0x20 to every byte from 'A' to 'Z', changes no other byte. (The
// classic carry-free range test: no 7-bit addition below reaches the next byte.)
constexpr std::uint64_t to_lower(std::uint64_t text) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    const std::uint64_t low_bits = text & (ones * 0x7f);
    const std::uint64_t from_a = low_bits + ones * (0x80 - 'A');
    const std::uint64_t past_z = low_bits + ones * (0x7f - 'Z');
    const std::uint64_t is_upper = (from_a ^ past_z) & ~text & (ones * 0x80);
    return text | (is_upper >> 2);
}

}  // namespace

command_index::packed_name command_index::pack(std::string_view name) noexcept {
    packed_name packed;
    std::memcpy(&packed, name.data(), name.size());
    return {to_lower(packed.head), to_lower(packed.tail)};
}

std::size_t command_index::slot_of(const packed_name& name) const noexcept {
    const std::uint64_t folded = name.head ^ (name.tail << 7) ^ (name.tail >> 57);
    return (folded * multiplier_) >> (64 - slot_bits);
}

const command* command_index::find(std::string_view name) const noexcept {
    if (name.empty() || name.size() > longest_name) return nullptr;
    const packed_name packed = pack(name);
    const slot& candidate = slots_[slot_of(packed)];
    const bool is_it = candidate.target != nullptr && candidate.name == packed &&
                       candidate.target->name.size() == name.size();  // not "get\0"
    return is_it ? candidate.target : nullptr;
}

bool command_index::try_fill(std::uint64_t multiplier) {
    multiplier_ = multiplier;
    slots_ = {};
    for (const command* each : commands_) {
        const packed_name packed = pack(each->name);
        slot& mine = slots_[slot_of(packed)];
        if (mine.target != nullptr) return false;
        mine = {packed, each};
    }
    return true;
}

command_index::command_index() {
    for (const auto family : {string_commands(), key_commands(), list_commands(), hash_commands(),
                              connection_commands(), server_commands()}) {
        for (const command& each : family) commands_.push_back(&each);
    }
    // Any odd 64-bit multiplier hashes well; which one is free of collisions is found by trying.
    constexpr std::uint64_t step = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    std::uint64_t multiplier = step;
    while (!try_fill(multiplier | 1)) multiplier += step;
}

const command_index& command_index::all() {
    static const command_index index;
    return index;
}

}  // namespace kv
