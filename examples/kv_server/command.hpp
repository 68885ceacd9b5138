// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: what a command is: a row of the table and a function that reads a call and appends exactly
// one reply. The functions live in <family>_commands.cpp; a family's table is declared below.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "entry.hpp"
#include "reply_writer.hpp"
#include "resp_parser.hpp"
#include "store.hpp"

namespace kv {

struct server_settings {
    parser_limits limits;
    std::chrono::seconds idle_timeout{0};  // zero: none
    std::string address = "127.0.0.1";
    std::uint16_t port = 6379;
    unsigned workers = 0;
};

/// What all sessions share.
struct service {
    explicit service(std::size_t shards = store::most_shards) : data(shards) {}

    server_settings settings;
    store data;
    instant started = instant::now();
    std::atomic<std::uint64_t> connections_open{0};
    std::atomic<std::uint64_t> connections_accepted{0};
    std::atomic<std::uint64_t> requests{0};
};

/// What the server remembers of one client.
struct client_state {
    std::uint64_t id = 0;
    std::string name;
    bool wants_close = false;  // after the replies so far are written
};

/// One request on its way.
struct call {
    std::span<const std::string_view> arguments;  // arguments[0] is the command's name
    instant now;
    service& host;
    client_state& client;
    reply_writer& reply;

    [[nodiscard]] std::size_t size() const noexcept { return arguments.size(); }
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept { return arguments[i]; }
    [[nodiscard]] store& data() const noexcept { return host.data; }
};

struct command {
    std::string_view name;  // lower case
    void (*execute)(call&);
    int arity;               // how many arguments with the name; -n: at least n
    std::string_view flags;  // as COMMAND reports them, separated by spaces
    int first_key = 0;       // index of the first key, 0: none
    int last_key = 0;        // negative: counted from the end
    int key_step = 0;
    std::string_view summary = {};

    [[nodiscard]] bool accepts(std::size_t count) const noexcept {
        const auto given = static_cast<int>(count);
        return arity >= 0 ? given == arity : given >= -arity;
    }
};

[[nodiscard]] std::span<const command> string_commands() noexcept;
[[nodiscard]] std::span<const command> key_commands() noexcept;
[[nodiscard]] std::span<const command> list_commands() noexcept;
[[nodiscard]] std::span<const command> hash_commands() noexcept;
[[nodiscard]] std::span<const command> connection_commands() noexcept;
[[nodiscard]] std::span<const command> server_commands() noexcept;

// Sentences that several families answer; clients know them by heart, so they are Redis's.
namespace sentence {
inline constexpr std::string_view wrong_type =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view not_an_integer = "ERR value is not an integer or out of range";
inline constexpr std::string_view would_overflow = "ERR increment or decrement would overflow";
inline constexpr std::string_view syntax = "ERR syntax error";
}  // namespace sentence

/// What an error sentence shows of `text`: at most `most` bytes, and none from a zero byte on.
[[nodiscard]] inline std::string_view excerpt(std::string_view text, std::size_t most) noexcept {
    return text.substr(0, most).substr(0, text.find('\0'));
}
/// "ERR wrong number of arguments for '<name>' command"; name is answered in lower case.
void reply_wrong_arity(reply_writer& reply, std::string_view name, std::string_view sub = {});
/// "ERR unknown subcommand …" for the command at arguments[0].
void reply_unknown_subcommand(call& c);
/// Case-insensitive; `lower` is in lower case.
[[nodiscard]] bool is_word(std::string_view text, std::string_view lower) noexcept;

/// The integer in arguments[i]; answers the error itself and returns nothing if there is none.
[[nodiscard]] std::optional<std::int64_t> integer_argument(call& c, std::size_t i);

}  // namespace kv
