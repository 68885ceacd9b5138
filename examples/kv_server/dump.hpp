// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: writes entries as the requests that recreate them (SET, RPUSH, HSET, PEXPIREAT). The file of
// --dump-on-exit is such a text; `redis-cli --pipe` sends it to any server.
#pragma once

#include <string>
#include <string_view>

#include "entry.hpp"

namespace kv {

class dump_writer {
public:
    explicit dump_writer(instant now) noexcept : now_(now) {}
    void add(std::string_view key, const entry& value);
    [[nodiscard]] std::string take() noexcept { return std::move(text_); }

private:
    void request(std::initializer_list<std::string_view> arguments);

    instant now_;
    std::string text_;
};

}  // namespace kv
