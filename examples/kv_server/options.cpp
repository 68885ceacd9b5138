// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "options.hpp"

#include <cstdint>
#include <limits>

#include "numbers.hpp"

namespace kv {
namespace {

std::int64_t number(std::string_view option, std::string_view text, std::int64_t least,
                    std::int64_t most) {
    const auto value = parse_integer(text);
    if (value && *value >= least && *value <= most) return *value;
    throw usage_error(std::string(option) + " wants a number from " + std::to_string(least) +
                      " to " + std::to_string(most) + ", not '" + std::string(text) + "'");
}

void set_option(options& all, std::string_view name, std::string_view value) {
    if (name == "--port") {
        all.settings.port = static_cast<std::uint16_t>(number(name, value, 0, 65535));
    } else if (name == "--bind") {
        all.settings.address = value;
    } else if (name == "--workers") {
        all.settings.workers = static_cast<unsigned>(number(name, value, 0, 256));
    } else if (name == "--idle-timeout") {
        constexpr std::int64_t year = 365 * 24 * 3600;
        all.settings.idle_timeout = std::chrono::seconds(number(name, value, 0, year));
    } else if (name == "--max-bulk") {
        all.settings.limits.bulk = number(name, value, 1, 512LL * 1024 * 1024);
    } else if (name == "--shards") {
        all.shards = static_cast<std::size_t>(number(name, value, 1, store::most_shards));
    } else if (name == "--grace") {
        all.grace = std::chrono::seconds(number(name, value, 0, 3600));
    } else if (name == "--dump-on-exit") {
        all.dump_file = value;
    } else {
        throw usage_error("there is no option " + std::string(name));
    }
}

}  // namespace

options parse_options(std::span<const char* const> arguments) {
    options all;
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        const std::string_view name = arguments[i];
        if (name == "--help" || name == "-h") {
            all.wants_help = true;
            return all;
        }
        if (i + 1 == arguments.size()) {
            throw usage_error("the option " + std::string(name) + " lacks its value, or is none");
        }
        set_option(all, name, arguments[i + 1]);
    }
    return all;
}

}  // namespace kv
