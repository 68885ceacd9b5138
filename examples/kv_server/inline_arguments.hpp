// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: splits the line of an inline request into arguments, with the quoting rules of redis-cli.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// Appends the unquoted arguments of `line` to `text`, and to `ends` where each one ends in it.
/// Words are separated by white space. "double quotes" know \n \r \t \b \a \xHH and \<any>, 'single
/// quotes' only \'. A closing quote must end its word. False if the quotes do not match.
[[nodiscard]] bool split_inline(std::string_view line, std::string& text,
                                std::vector<std::size_t>& ends);

}  // namespace kv
