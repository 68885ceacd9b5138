// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the command line.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "command.hpp"

namespace kv {

struct options {
    server_settings settings;
    std::size_t shards = store::most_shards;
    std::chrono::seconds grace{5};
    std::string dump_file;  // empty: none
    bool wants_help = false;
};

inline constexpr std::string_view usage = R"(usage: kv_server [options]
  --port N           port to listen on; 0 takes a free one           (6379)
  --bind ADDRESS     IPv4 or IPv6 address to listen on               (127.0.0.1)
  --workers N        threads; 0: as many as there are cores          (0)
  --idle-timeout S   disconnect clients silent for S seconds; 0: off (0)
  --max-bulk BYTES   longest argument and longest value              (536870912)
  --shards N         parts of the store, each with its lock: 1 … 64  (64)
  --grace S          at the end, wait S seconds for clients to read  (5)
  --dump-on-exit F   write the data to F when the server ends
  --help             print this
Prints "ready on ADDRESS:PORT" once it listens; ends on SIGINT and SIGTERM after it has answered
every complete request that had arrived.
)";

/// What is wrong with the command line, as a sentence.
class usage_error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// `arguments` without the program's name. Throws usage_error.
[[nodiscard]] options parse_options(std::span<const char* const> arguments);

}  // namespace kv
