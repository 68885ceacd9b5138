// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How orders, values and places read in a trace.
#pragma once

#include <atomic>
#include <cstdint>
#include <source_location>
#include <string>

namespace weft::model {

using site = std::source_location;

[[nodiscard]] const char* text_of(std::memory_order order);
[[nodiscard]] std::string text_of(std::uint64_t value);
[[nodiscard]] std::string text_of(site where);  // file name and line

}  // namespace weft::model
