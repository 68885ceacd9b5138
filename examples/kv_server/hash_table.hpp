// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the hash table that the store and large hashes use, looked up by string_view without
// making a string. Boost's flat table where its headers are installed (about three times faster
// here than the node-based standard one), std::unordered_map otherwise.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#if __has_include(<boost/unordered/unordered_flat_map.hpp>)
#include <boost/unordered/unordered_flat_map.hpp>
#define KV_HAS_FLAT_MAP 1
#else
#include <unordered_map>
#endif

namespace kv {

/// A key together with its hash, so that choosing the shard and finding the entry hash it once.
struct hashed_key {
    explicit hashed_key(std::string_view name) noexcept
        : text(name), hash(std::hash<std::string_view>{}(name)) {}
    std::string_view text;
    std::size_t hash;
};

struct key_hash {
    using is_transparent = void;
    using is_avalanching = void;  // std::hash of a string mixes all its bits
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
    std::size_t operator()(const hashed_key& key) const noexcept { return key.hash; }
};

struct key_equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
    bool operator()(const hashed_key& a, std::string_view b) const noexcept { return a.text == b; }
    bool operator()(std::string_view a, const hashed_key& b) const noexcept { return a == b.text; }
};

#ifdef KV_HAS_FLAT_MAP
template <class Value>
using hash_table = boost::unordered_flat_map<std::string, Value, key_hash, key_equal>;
#else
template <class Value>
using hash_table = std::unordered_map<std::string, Value, key_hash, key_equal>;
#endif

}  // namespace kv
