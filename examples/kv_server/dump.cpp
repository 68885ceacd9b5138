// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "dump.hpp"

#include <initializer_list>

#include "reply_writer.hpp"

namespace kv {

// A request is an array of bulk strings, so the writer of replies spells it.
void dump_writer::request(std::initializer_list<std::string_view> arguments) {
    reply_writer out;
    out.array(arguments.size());
    for (const std::string_view argument : arguments) out.bulk(argument);
    text_ += out.text();
}

void dump_writer::add(std::string_view key, const entry& value) {
    if (const auto* text = value.as<std::string>()) {
        request({"SET", key, *text});
    } else if (const auto* items = value.as<list>()) {
        for (const std::string& item : *items) request({"RPUSH", key, item});
    } else {
        value.as<field_map>()->for_each([&](std::string_view field, std::string_view content) {
            request({"HSET", key, field, content});
        });
    }
    if (value.expires() == never) return;
    const milliseconds date = now_.wall + (value.expires() - now_.steady);
    request({"PEXPIREAT", key, integer_text(date.count()).view()});
}

}  // namespace kv
