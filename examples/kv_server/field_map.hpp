// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the value behind HSET: field -> text. A small one is a plain vector searched from the front,
// which is smaller and no slower than a hash table and keeps the order of insertion; past
// `small_limit` fields it becomes a hash table and stays one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hash_table.hpp"

namespace kv {

class field_map {
public:
    [[nodiscard]] std::size_t size() const noexcept {
        return is_small_ ? small_.size() : large_.size();
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /// The text of `field`, or null. Valid until the next change of the map.
    [[nodiscard]] std::string* find(std::string_view field);
    /// True if the field is new.
    bool set(std::string_view field, std::string_view text);
    /// True if the field was there.
    bool erase(std::string_view field);
    /// Calls visit(field, text) once per field.
    template <class Visitor>
    void for_each(Visitor visit) const;

private:
    using pair = std::pair<std::string, std::string>;
    [[nodiscard]] std::vector<pair>::iterator find_small(std::string_view field) {
        return std::ranges::find(small_, field, &pair::first);
    }
    void enlarge();

    static constexpr std::size_t small_limit = 128;

    bool is_small_ = true;  // says which of the two holds the fields; the other is empty
    std::vector<pair> small_;
    hash_table<std::string> large_;
};

// ---------------------------------------------------------------------------------------------

inline std::string* field_map::find(std::string_view field) {
    if (is_small_) {
        const auto found = find_small(field);
        return found == small_.end() ? nullptr : &found->second;
    }
    const auto found = large_.find(hashed_key(field));
    return found == large_.end() ? nullptr : &found->second;
}

inline bool field_map::set(std::string_view field, std::string_view text) {
    if (std::string* present = find(field)) {
        present->assign(text);
        return false;
    }
    if (is_small_ && small_.size() == small_limit) enlarge();
    if (is_small_) {
        small_.emplace_back(field, text);
    } else {
        large_.emplace(field, text);
    }
    return true;
}

inline bool field_map::erase(std::string_view field) {
    if (is_small_) {
        const auto found = find_small(field);
        if (found == small_.end()) return false;
        small_.erase(found);
        return true;
    }
    const auto found = large_.find(hashed_key(field));
    if (found == large_.end()) return false;
    large_.erase(found);
    return true;
}

inline void field_map::enlarge() {
    large_.reserve(2 * small_limit);
    for (pair& entry : small_) large_.emplace(std::move(entry.first), std::move(entry.second));
    std::vector<pair>().swap(small_);
    is_small_ = false;
}

template <class Visitor>
void field_map::for_each(Visitor visit) const {
    for (const auto& [field, text] : small_) visit(field, text);
    for (const auto& [field, text] : large_) visit(field, text);
}

}  // namespace kv
