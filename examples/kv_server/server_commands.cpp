// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands about the server: DBSIZE, FLUSHALL, INFO, CONFIG, COMMAND.

#include <algorithm>
#include <array>

#include "command.hpp"
#include "command_index.hpp"
#include "glob.hpp"

namespace kv {
namespace {

void dbsize(call& c) { c.reply.integer(static_cast<std::int64_t>(c.data().size().keys)); }

void flush(call& c) {
    const bool is_known =
        c.size() == 1 || (c.size() == 2 && (is_word(c[1], "async") || is_word(c[1], "sync")));
    if (!is_known) return c.reply.error(sentence::syntax);
    c.data().clear();
    c.reply.ok();
}

// INFO ----------------------------------------------------------------------------------------

class info_writer {
public:
    void section(std::string_view name) {
        if (!text_.empty()) text_ += "\r\n";
        text_.append("# ").append(name).append("\r\n");
    }
    void field(std::string_view name, std::string_view value) {
        text_.append(name).append(":").append(value).append("\r\n");
    }
    void field(std::string_view name, std::uint64_t value) {
        field(name, integer_text(static_cast<std::int64_t>(value)).view());
    }
    [[nodiscard]] std::string_view text() const noexcept { return text_; }

private:
    std::string text_;
};

void info_server(const call& c, info_writer& out) {
    out.section("Server");
    out.field("redis_version", "7.0.15");  // what this server can be taken for
    out.field("redis_mode", "standalone");
    out.field("server_name", "weft kv_server");
    out.field("tcp_port", c.host.settings.port);
    const auto uptime =
        std::chrono::floor<std::chrono::seconds>(c.now.steady - c.host.started.steady);
    out.field("uptime_in_seconds", static_cast<std::uint64_t>(uptime.count()));
}

void info_clients(const call& c, info_writer& out) {
    out.section("Clients");
    out.field("connected_clients", c.host.connections_open.load(std::memory_order_relaxed));
}

void info_stats(const call& c, info_writer& out) {
    out.section("Stats");
    out.field("total_connections_received",
              c.host.connections_accepted.load(std::memory_order_relaxed));
    out.field("total_commands_processed", c.host.requests.load(std::memory_order_relaxed));
}

void info_keyspace(const call& c, info_writer& out) {
    out.section("Keyspace");
    const auto size = c.data().size();
    if (size.keys == 0) return;
    out.field("db0", "keys=" + std::to_string(size.keys) +
                         ",expires=" + std::to_string(size.expiring) + ",avg_ttl=0");
}

void info(call& c) {
    struct section {
        std::string_view name;
        void (*write)(const call&, info_writer&);
    };
    static constexpr std::array<section, 4> sections{{{"server", info_server},
                                                      {"clients", info_clients},
                                                      {"stats", info_stats},
                                                      {"keyspace", info_keyspace}}};
    info_writer out;
    for (const section& each : sections) {
        const bool is_wanted =
            c.size() == 1 ||
            std::ranges::any_of(c.arguments.subspan(1), [&](std::string_view word) {
                return is_word(word, each.name) || is_word(word, "all") ||
                       is_word(word, "default") || is_word(word, "everything");
            });
        if (is_wanted) each.write(c, out);
    }
    c.reply.bulk(out.text());
}

// CONFIG --------------------------------------------------------------------------------------

void config_get(call& c) {
    const server_settings& now = c.host.settings;
    const std::array<std::pair<std::string_view, std::string>, 8> parameters{{
        {"appendonly", "no"},
        {"bind", now.address},
        {"databases", "1"},
        {"maxmemory", "0"},
        {"port", std::to_string(now.port)},
        {"proto-max-bulk-len", std::to_string(now.limits.bulk)},
        {"save", ""},
        {"timeout", std::to_string(now.idle_timeout.count())},
    }};
    reply_writer matches;
    std::size_t count = 0;
    for (const auto& parameter : parameters) {
        const std::string_view name = parameter.first;
        const auto patterns = c.arguments.subspan(2);
        const auto match = std::ranges::find_if(
            patterns, [&](std::string_view pattern) { return matches_glob(pattern, name); });
        if (match == patterns.end()) continue;
        ++count;
        matches.bulk(is_word(*match, name) ? *match : name);  // a full name as the client spells it
        matches.bulk(parameter.second);
    }
    c.reply.array(2 * count);
    c.reply.raw(matches.text());
}

void config(call& c) {
    if (is_word(c[1], "get")) {
        if (c.size() < 3) return reply_wrong_arity(c.reply, "config", "get");
        return config_get(c);
    }
    if (is_word(c[1], "resetstat")) {
        if (c.size() != 2) return reply_wrong_arity(c.reply, "config", "resetstat");
        c.host.requests.store(0, std::memory_order_relaxed);  // a statistic: orders nothing
        return c.reply.ok();
    }
    reply_unknown_subcommand(c);
}

// COMMAND -------------------------------------------------------------------------------------

void reply_flags(reply_writer& reply, std::string_view words) {
    reply.array(static_cast<std::size_t>(std::ranges::count(words, ' ')) + 1);
    for (std::size_t space = 0; space != std::string_view::npos;) {
        space = words.find(' ');
        reply.simple(words.substr(0, space));
        if (space != std::string_view::npos) words.remove_prefix(space + 1);
    }
}

void reply_description(reply_writer& reply, const command& each) {
    reply.array(10);
    reply.bulk(each.name);
    reply.integer(each.arity);
    reply_flags(reply, each.flags);
    reply.integer(each.first_key);
    reply.integer(each.last_key);
    reply.integer(each.key_step);
    for (int i = 0; i < 4; ++i) reply.array(0);  // ACL categories, tips, key specs, subcommands
}

void command_info(call& c, std::span<const std::string_view> names) {
    c.reply.array(names.size());
    for (const std::string_view name : names) {
        const command* found = command_index::all().find(name);
        if (found == nullptr) {
            c.reply.null_array();
        } else {
            reply_description(c.reply, *found);
        }
    }
}

void command_docs(call& c, std::span<const std::string_view> names) {
    std::vector<const command*> wanted;
    for (const std::string_view name : names) {
        if (const command* found = command_index::all().find(name)) wanted.push_back(found);
    }
    if (names.empty()) {
        const auto commands = command_index::all().commands();
        wanted.assign(commands.begin(), commands.end());
    }
    c.reply.array(2 * wanted.size());
    for (const command* each : wanted) {
        c.reply.bulk(each->name);
        c.reply.array(2);
        c.reply.bulk("summary");
        c.reply.bulk(each->summary);
    }
}

void command_command(call& c) {
    const auto all = command_index::all().commands();
    if (c.size() == 1) {
        c.reply.array(all.size());
        for (const command* each : all) reply_description(c.reply, *each);
    } else if (is_word(c[1], "count")) {
        if (c.size() != 2) return reply_wrong_arity(c.reply, "command", "count");
        c.reply.integer(static_cast<std::int64_t>(all.size()));
    } else if (is_word(c[1], "info")) {
        command_info(c, c.arguments.subspan(2));
    } else if (is_word(c[1], "docs")) {
        command_docs(c, c.arguments.subspan(2));
    } else {
        reply_unknown_subcommand(c);
    }
}

constexpr command table[] = {
    {"dbsize", dbsize, 1, "readonly fast", 0, 0, 0, "Count the keys"},
    {"flushall", flush, -1, "write", 0, 0, 0, "Remove all keys"},
    {"flushdb", flush, -1, "write", 0, 0, 0, "Remove all keys"},
    {"info", info, -1, "loading stale", 0, 0, 0, "Get statistics about the server"},
    {"config", config, -2, "admin loading stale", 0, 0, 0, "Get configuration parameters"},
    {"command", command_command, -1, "loading stale", 0, 0, 0, "Describe the commands"},
};

}  // namespace

std::span<const command> server_commands() noexcept { return table; }

}  // namespace kv
