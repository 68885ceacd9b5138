// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: what a key holds: one of three kinds of value, and when it stops existing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "field_map.hpp"

namespace kv {

using milliseconds = std::chrono::milliseconds;
/// A point on the steady clock. Expiry does not jump when somebody sets the wall clock.
using deadline = std::chrono::time_point<std::chrono::steady_clock, milliseconds>;
inline constexpr deadline never = deadline::max();

/// One reading of both clocks: `steady` orders, `wall` is needed where a request names a date.
struct instant {
    deadline steady{};
    milliseconds wall{};  // since 1970

    [[nodiscard]] static instant now() noexcept {
        using std::chrono::floor;
        return {floor<milliseconds>(std::chrono::steady_clock::now()),
                floor<milliseconds>(std::chrono::system_clock::now().time_since_epoch())};
    }
};

using list = std::deque<std::string>;

class entry {
public:
    entry() = default;

    /// The value if it is a `Value` (std::string, list, field_map), else null.
    template <class Value>
    [[nodiscard]] Value* as() noexcept;
    template <class Value>
    [[nodiscard]] const Value* as() const noexcept {
        return const_cast<entry*>(this)->as<Value>();
    }
    /// Replaces the value by an empty `Value`.
    template <class Value>
    Value& become();

    [[nodiscard]] std::string_view type_name() const noexcept;
    [[nodiscard]] deadline expires() const noexcept { return expires_; }

private:
    friend class shard;  // keeps count of the entries that expire

    // A text is stored in place since most values are; the large ones behind a pointer keep the
    // entry, and with it the flat table, small.
    std::variant<std::string, std::unique_ptr<list>, std::unique_ptr<field_map>> value_;
    deadline expires_ = never;
};

// ---------------------------------------------------------------------------------------------

template <class Value>
Value* entry::as() noexcept {
    if constexpr (std::is_same_v<Value, std::string>) {
        return std::get_if<std::string>(&value_);
    } else {
        auto* owner = std::get_if<std::unique_ptr<Value>>(&value_);
        return owner == nullptr ? nullptr : owner->get();
    }
}

template <class Value>
Value& entry::become() {
    if constexpr (std::is_same_v<Value, std::string>) {
        return value_.emplace<std::string>();
    } else {
        return *value_.emplace<std::unique_ptr<Value>>(std::make_unique<Value>());
    }
}

inline std::string_view entry::type_name() const noexcept {
    static constexpr std::string_view names[] = {"string", "list", "hash"};
    return names[value_.index()];
}

}  // namespace kv
