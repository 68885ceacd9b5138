// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Gives small numbers to names: coroutine types, await sites and user names, each in its own space.
// Equal contents have equal ids, also where several translation units have their own copy of a
// location. Ids last as long as the process. Not synchronised: the registry's mutex guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weft/trace/file_format.hpp"
#include "weft/trace/format.hpp"

namespace weft::detail {

struct interned_location {
    trace::id_space space;
    std::uint32_t line;
    std::uint32_t column;
    std::string_view function;  // or the name itself
    std::string_view file;
};

class trace_interner {
public:
    /// The id of `location`, a new one if need be; 0 when the memory for names is used up.
    /// `is_new` says that `definitions` grew by one.
    [[nodiscard]] std::uint32_t define(const interned_location& location, bool& is_new);

    /// All definitions so far, in the file's form for a chunk of locations.
    [[nodiscard]] const std::string& definitions() const noexcept { return definitions_; }

private:
    static constexpr std::size_t max_definition_bytes = std::size_t{4} << 20;
    static_assert(max_definition_bytes + trace::max_varint_bytes <= trace::max_payload_bytes);

    std::unordered_map<std::string, std::uint32_t> ids_;
    std::uint32_t next_[3] = {1, 1, 1};
    std::string definitions_;
};

}  // namespace weft::detail
