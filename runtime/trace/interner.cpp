// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "trace/interner.hpp"

#include "trace/chunk_encoding.hpp"

namespace weft::detail {

namespace {

constexpr std::uint32_t largest_id(trace::id_space space) noexcept {
    return space == trace::id_space::type ? trace::other_type - 1 : (1u << 24) - 1;
}

}  // namespace

std::uint32_t trace_interner::define(const interned_location& location, bool& is_new) {
    const auto space = static_cast<std::size_t>(location.space);
    std::string key(1, static_cast<char>(location.space));
    append_varint(key, location.line);
    append_varint(key, location.column);
    append_string(key, location.function);
    append_string(key, location.file);
    is_new = false;
    if (const auto found = ids_.find(key); found != ids_.end()) return found->second;
    if (next_[space] > largest_id(location.space)) return 0;
    if (definitions_.size() + key.size() > max_definition_bytes) return 0;

    std::string entry(1, static_cast<char>(location.space));
    append_varint(entry, next_[space]);
    entry.append(key, 1);
    definitions_.reserve(definitions_.size() + entry.size());
    ids_.emplace(std::move(key), next_[space]);
    definitions_.append(entry);
    is_new = true;
    return next_[space]++;
}

}  // namespace weft::detail
