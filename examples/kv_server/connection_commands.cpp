// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands about the connection itself: PING, ECHO, SELECT, QUIT, HELLO, CLIENT.

#include <algorithm>

#include "command.hpp"

namespace kv {
namespace {

void ping(call& c) {
    if (c.size() > 2) return reply_wrong_arity(c.reply, "ping");
    if (c.size() == 2) return c.reply.bulk(c[1]);
    c.reply.simple("PONG");
}

void echo(call& c) { c.reply.bulk(c[1]); }

void select(call& c) {
    const auto index = integer_argument(c, 1);
    if (!index) return;
    if (*index != 0) return c.reply.error("ERR DB index is out of range");  // there is one
    c.reply.ok();
}

void quit(call& c) {
    c.reply.ok();
    c.client.wants_close = true;
}

// Browsers that were tricked into posting to this port send these words first. No answer, so that
// nothing in the rest of their request is executed.
void refuse_http(call& c) { c.client.wants_close = true; }

bool is_valid_name(std::string_view name) {
    return std::ranges::all_of(name, [](char letter) { return letter >= '!' && letter <= '~'; });
}

// Answers the error itself.
bool try_set_name(call& c, std::string_view name) {
    if (!is_valid_name(name)) {
        c.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    c.client.name = name;
    return true;
}

void client(call& c) {
    const std::string_view verb = c[1];
    const auto has_arity = [&](std::size_t count) {
        if (c.size() != count) reply_wrong_arity(c.reply, "client", verb);
        return c.size() == count;
    };
    if (is_word(verb, "setname")) {
        if (has_arity(3) && try_set_name(c, c[2])) c.reply.ok();
    } else if (is_word(verb, "getname")) {
        if (!has_arity(2)) return;
        if (c.client.name.empty()) return c.reply.null_bulk();
        c.reply.bulk(c.client.name);
    } else if (is_word(verb, "id")) {
        if (has_arity(2)) c.reply.integer(static_cast<std::int64_t>(c.client.id));
    } else if (is_word(verb, "setinfo")) {
        if (has_arity(4)) c.reply.ok();  // of Redis 7.2; today's client libraries send it first
    } else {
        reply_unknown_subcommand(c);
    }
}

// The options after HELLO's version. Answers the error itself.
bool take_hello_options(call& c) {
    for (std::size_t i = 2; i < c.size(); ++i) {
        const std::size_t left = c.size() - i - 1;
        if (is_word(c[i], "auth") && left >= 2) {
            i += 2;  // there are no passwords: everybody is the default user
        } else if (is_word(c[i], "setname") && left >= 1) {
            if (!try_set_name(c, c[++i])) return false;
        } else {
            c.reply.error("ERR Syntax error in HELLO option '" + std::string(c[i]) + "'");
            return false;
        }
    }
    return true;
}

void hello(call& c) {
    if (c.size() >= 2) {
        const auto version = parse_integer(c[1]);
        if (!version) {
            return c.reply.error("ERR Protocol version is not an integer or out of range");
        }
        // Clients that would like RESP3 take this answer for what it is and go on with RESP2.
        if (*version != 2) return c.reply.error("NOPROTO unsupported protocol version");
        if (!take_hello_options(c)) return;
    }
    c.reply.array(14);
    for (const std::string_view word : {"server", "redis", "version", "7.0.15", "proto"})
        c.reply.bulk(word);
    c.reply.integer(2);
    c.reply.bulk("id");
    c.reply.integer(static_cast<std::int64_t>(c.client.id));
    for (const std::string_view word : {"mode", "standalone", "role", "master", "modules"})
        c.reply.bulk(word);
    c.reply.array(0);
}

constexpr std::string_view plain = "loading stale fast";

constexpr command table[] = {
    {"ping", ping, -1, "fast", 0, 0, 0, "Ping the server"},
    {"echo", echo, 2, "fast", 0, 0, 0, "Echo the given string"},
    {"select", select, 2, plain, 0, 0, 0, "Select the database (there is only 0)"},
    {"quit", quit, -1, plain, 0, 0, 0, "Close the connection"},
    {"hello", hello, -1, plain, 0, 0, 0, "Handshake with the server"},
    {"client", client, -2, plain, 0, 0, 0, "Name the connection"},
    {"post", refuse_http, -1, plain},
    {"host:", refuse_http, -1, plain},
};

}  // namespace

std::span<const command> connection_commands() noexcept { return table; }

}  // namespace kv
