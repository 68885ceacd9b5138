// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands on texts: SET and its relatives, GET, MSET and MGET, counters.

#include "command.hpp"
#include "expiry.hpp"

namespace kv {
namespace {

struct set_options {
    bool only_new = false;      // NX
    bool only_present = false;  // XX
    bool wants_old = false;     // GET
    bool keeps_deadline = false;
    bool has_expiry = false;
    expiry_unit unit;
    std::string_view amount;
};

void put_text(shard& where, const hashed_key& key, std::string_view text, deadline now,
              deadline expires = never) {
    entry& target = where.find_or_create(key, now);
    auto* present = target.as<std::string>();
    (present != nullptr ? *present : target.become<std::string>()).assign(text);
    where.set_deadline(key, target, expires);
}

std::optional<expiry_unit> expiry_option(std::string_view word) {
    if (is_word(word, "ex")) return expiry_unit{true, false};
    if (is_word(word, "px")) return expiry_unit{false, false};
    if (is_word(word, "exat")) return expiry_unit{true, true};
    if (is_word(word, "pxat")) return expiry_unit{false, true};
    return std::nullopt;
}

bool is_same(expiry_unit a, expiry_unit b) {
    return a.in_seconds == b.in_seconds && a.is_date == b.is_date;
}

// One option of SET at argument i, which moves past what it used. False: a syntax error.
bool take_option(const call& c, std::size_t& i, set_options& options) {
    const std::string_view word = c[i++];
    if (is_word(word, "nx")) {
        options.only_new = true;
        return !options.only_present;
    }
    if (is_word(word, "xx")) {
        options.only_present = true;
        return !options.only_new;
    }
    if (is_word(word, "get")) {
        options.wants_old = true;
        return true;
    }
    if (is_word(word, "keepttl")) {
        options.keeps_deadline = true;
        return !options.has_expiry;
    }
    const auto unit = expiry_option(word);
    if (!unit || options.keeps_deadline || i == c.size()) return false;
    if (options.has_expiry && !is_same(options.unit, *unit)) return false;
    options.has_expiry = true;
    options.unit = *unit;
    options.amount = c[i++];
    return true;
}

// The deadline that an amount names; answers the error itself. Used where zero is an error too.
std::optional<deadline> positive_deadline(call& c, std::string_view amount, expiry_unit unit,
                                          std::string_view name) {
    const auto number = parse_integer(amount);
    if (!number) {
        c.reply.error(sentence::not_an_integer);
        return std::nullopt;
    }
    const auto when = *number > 0 ? deadline_of(*number, unit, c.now) : std::nullopt;
    if (!when) c.reply.error(invalid_expiry(name));
    return when;
}

// SET once its options are understood.
void set_with_options(call& c, const set_options& options, deadline expires) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* present = where->find(key, c.now.steady);
    if (options.wants_old && present != nullptr) {
        const auto* old = present->as<std::string>();
        if (old == nullptr) return c.reply.error(sentence::wrong_type);
        c.reply.bulk(*old);
    } else if (options.wants_old) {
        c.reply.null_bulk();
    }
    const bool is_refused = present != nullptr ? options.only_new : options.only_present;
    if (is_refused && !options.wants_old) c.reply.null_bulk();
    if (is_refused) return;
    if (options.keeps_deadline && present != nullptr) expires = present->expires();
    put_text(*where, key, c[2], c.now.steady, expires);
    if (!options.wants_old) c.reply.ok();
}

void set(call& c) {
    if (c.size() == 3) {  // most of them
        const hashed_key key(c[1]);
        put_text(*c.data().lock(key), key, c[2], c.now.steady);
        return c.reply.ok();
    }
    set_options options;
    for (std::size_t i = 3; i < c.size();) {
        if (!take_option(c, i, options)) return c.reply.error(sentence::syntax);
    }
    deadline expires = never;
    if (options.has_expiry) {
        const auto when = positive_deadline(c, options.amount, options.unit, "set");
        if (!when) return;
        expires = *when;
    }
    set_with_options(c, options, expires);
}

void set_expiring(call& c, std::string_view name, expiry_unit unit) {
    const auto when = positive_deadline(c, c[2], unit, name);
    if (!when) return;
    const hashed_key key(c[1]);
    put_text(*c.data().lock(key), key, c[3], c.now.steady, *when);
    c.reply.ok();
}

void setex(call& c) { set_expiring(c, "setex", {.in_seconds = true}); }
void psetex(call& c) { set_expiring(c, "psetex", {.in_seconds = false}); }

void setnx(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    if (where->find(key, c.now.steady) != nullptr) return c.reply.integer(0);
    put_text(*where, key, c[2], c.now.steady);
    c.reply.integer(1);
}

// Answers the text of `found`; false if it holds something else, which is answered too.
bool reply_text(call& c, entry* found) {
    if (found == nullptr) {
        c.reply.null_bulk();
        return true;
    }
    const auto* text = found->as<std::string>();
    if (text == nullptr) {
        c.reply.error(sentence::wrong_type);
        return false;
    }
    c.reply.bulk(*text);
    return true;
}

void get(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    reply_text(c, where->find(key, c.now.steady));
}

void getset(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    if (!reply_text(c, where->find(key, c.now.steady))) return;
    put_text(*where, key, c[2], c.now.steady);
}

void getdel(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    if (reply_text(c, where->find(key, c.now.steady))) where->erase(key, c.now.steady);
}

void strlen_command(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    if (found == nullptr) return c.reply.integer(0);
    const auto* text = found->as<std::string>();
    if (text == nullptr) return c.reply.error(sentence::wrong_type);
    c.reply.integer(static_cast<std::int64_t>(text->size()));
}

void append(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry& target = where->find_or_create(key, c.now.steady);
    auto* text = target.as<std::string>();
    if (text == nullptr) return c.reply.error(sentence::wrong_type);
    const auto limit = static_cast<std::size_t>(c.host.settings.limits.bulk);
    if (text->size() + c[2].size() > limit) {
        return c.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    }
    text->append(c[2]);
    c.reply.integer(static_cast<std::int64_t>(text->size()));
}

// Several keys --------------------------------------------------------------------------------

void mset(call& c) {
    if (c.size() % 2 == 0) return reply_wrong_arity(c.reply, "mset");
    const auto where = c.data().lock(c.arguments.subspan(1), 2);
    for (std::size_t i = 1; i < c.size(); i += 2) {
        const hashed_key key(c[i]);
        put_text(where.of(key), key, c[i + 1], c.now.steady);
    }
    c.reply.ok();
}

void mget(call& c) {
    const auto where = c.data().lock(c.arguments.subspan(1));
    c.reply.array(c.size() - 1);
    for (const std::string_view name : c.arguments.subspan(1)) {
        const hashed_key key(name);
        entry* found = where.of(key).find(key, c.now.steady);
        const auto* text = found == nullptr ? nullptr : found->as<std::string>();
        if (text == nullptr) {
            c.reply.null_bulk();
        } else {
            c.reply.bulk(*text);
        }
    }
}

// Counters ------------------------------------------------------------------------------------

void increase(call& c, std::int64_t amount) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    std::int64_t old = 0;
    if (found != nullptr) {
        const auto* text = found->as<std::string>();
        if (text == nullptr) return c.reply.error(sentence::wrong_type);
        const auto value = parse_integer(*text);
        if (!value) return c.reply.error(sentence::not_an_integer);
        old = *value;
    }
    const auto sum = checked_add(old, amount);
    if (!sum) return c.reply.error(sentence::would_overflow);
    if (found == nullptr) found = &where->find_or_create(key, c.now.steady);
    found->as<std::string>()->assign(integer_text(*sum).view());
    c.reply.integer(*sum);
}

void incr(call& c) { increase(c, 1); }
void decr(call& c) { increase(c, -1); }

void incrby(call& c) {
    if (const auto amount = integer_argument(c, 2)) increase(c, *amount);
}

void decrby(call& c) {
    const auto amount = integer_argument(c, 2);
    if (!amount) return;
    if (*amount == std::numeric_limits<std::int64_t>::min()) {
        return c.reply.error("ERR decrement would overflow");
    }
    increase(c, -*amount);
}

constexpr std::string_view writes = "write denyoom";
constexpr std::string_view writes_fast = "write denyoom fast";
constexpr std::string_view reads_fast = "readonly fast";

constexpr command table[] = {
    {"get", get, 2, reads_fast, 1, 1, 1, "Get the value of a key"},
    {"set", set, -3, writes, 1, 1, 1, "Set the string value of a key"},
    {"setnx", setnx, 3, writes_fast, 1, 1, 1, "Set the value of a key that does not exist"},
    {"setex", setex, 4, writes, 1, 1, 1, "Set the value and expiration of a key"},
    {"psetex", psetex, 4, writes, 1, 1, 1, "Set the value and expiration in ms of a key"},
    {"getset", getset, 3, writes_fast, 1, 1, 1, "Set the value of a key, return the old one"},
    {"getdel", getdel, 2, "write fast", 1, 1, 1, "Get the value of a key and delete the key"},
    {"strlen", strlen_command, 2, reads_fast, 1, 1, 1, "Get the length of a value"},
    {"append", append, 3, writes_fast, 1, 1, 1, "Append a value to a key"},
    {"mset", mset, -3, writes, 1, -1, 2, "Set several keys to several values"},
    {"mget", mget, -2, reads_fast, 1, -1, 1, "Get the values of several keys"},
    {"incr", incr, 2, writes_fast, 1, 1, 1, "Increment the integer value of a key by one"},
    {"decr", decr, 2, writes_fast, 1, 1, 1, "Decrement the integer value of a key by one"},
    {"incrby", incrby, 3, writes_fast, 1, 1, 1, "Increment the integer value of a key"},
    {"decrby", decrby, 3, writes_fast, 1, 1, 1, "Decrement the integer value of a key"},
};

}  // namespace

std::span<const command> string_commands() noexcept { return table; }

}  // namespace kv
