// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "command.hpp"

#include <algorithm>

namespace kv {
namespace {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

bool is_word(std::string_view text, std::string_view lower_word) noexcept {
    return std::ranges::equal(text, lower_word, {}, lower);
}

void reply_wrong_arity(reply_writer& reply, std::string_view name, std::string_view sub) {
    std::string message = "ERR wrong number of arguments for '";
    message += name;
    if (!sub.empty()) message += '|';
    message += sub;
    message += "' command";
    std::ranges::transform(message.begin() + 3, message.end(), message.begin() + 3, lower);
    reply.error(message);
}

void reply_unknown_subcommand(call& c) {
    constexpr std::size_t most_shown = 128;
    std::string message = "ERR unknown subcommand '";
    message += excerpt(c[1], most_shown);
    message += "'. Try ";
    for (const char letter : c[0]) {
        const char small = lower(letter);
        message += small >= 'a' && small <= 'z' ? static_cast<char>(small - ('a' - 'A')) : small;
    }
    message += " HELP.";
    c.reply.error(message);
}

std::optional<std::int64_t> integer_argument(call& c, std::size_t i) {
    const auto value = parse_integer(c[i]);
    if (!value) c.reply.error(sentence::not_an_integer);
    return value;
}

}  // namespace kv
