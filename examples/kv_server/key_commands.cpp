// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands that work on a key whatever it holds: DEL, EXISTS, TYPE and the deadlines.

#include "command.hpp"
#include "expiry.hpp"

namespace kv {
namespace {

void del(call& c) {
    const auto where = c.data().lock(c.arguments.subspan(1));
    std::int64_t count = 0;
    for (const std::string_view name : c.arguments.subspan(1)) {
        const hashed_key key(name);
        if (where.of(key).erase(key, c.now.steady)) ++count;
    }
    c.reply.integer(count);
}

void exists(call& c) {
    const auto where = c.data().lock(c.arguments.subspan(1));
    std::int64_t count = 0;
    for (const std::string_view name : c.arguments.subspan(1)) {
        const hashed_key key(name);
        if (where.of(key).find(key, c.now.steady) != nullptr) ++count;
    }
    c.reply.integer(count);
}

void type(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    c.reply.simple(found == nullptr ? "none" : found->type_name());
}

// EXPIRE and its relatives --------------------------------------------------------------------

struct expire_conditions {
    bool none_yet = false;  // NX
    bool has_one = false;   // XX
    bool later = false;     // GT
    bool earlier = false;   // LT

    // An entry without a deadline counts as one that expires last.
    [[nodiscard]] bool allow(deadline old, deadline wanted) const noexcept {
        if (none_yet && old != never) return false;
        if (has_one && old == never) return false;
        if (later && (old == never || wanted <= old)) return false;
        return !earlier || wanted < old;
    }
};

// Answers the error itself.
std::optional<expire_conditions> read_conditions(call& c) {
    expire_conditions wanted;
    for (const std::string_view word : c.arguments.subspan(3)) {
        if (is_word(word, "nx")) {
            wanted.none_yet = true;
        } else if (is_word(word, "xx")) {
            wanted.has_one = true;
        } else if (is_word(word, "gt")) {
            wanted.later = true;
        } else if (is_word(word, "lt")) {
            wanted.earlier = true;
        } else {
            c.reply.error("ERR Unsupported option " + std::string(word));
            return std::nullopt;
        }
    }
    if (wanted.none_yet && (wanted.has_one || wanted.later || wanted.earlier)) {
        c.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
        return std::nullopt;
    }
    if (wanted.later && wanted.earlier) {
        c.reply.error("ERR GT and LT options at the same time are not compatible");
        return std::nullopt;
    }
    return wanted;
}

void expire_generic(call& c, std::string_view name, expiry_unit unit) {
    const auto conditions = read_conditions(c);
    if (!conditions) return;
    const auto amount = integer_argument(c, 2);
    if (!amount) return;
    const auto when = deadline_of(*amount, unit, c.now);
    if (!when) return c.reply.error(invalid_expiry(name));

    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    if (found == nullptr || !conditions->allow(found->expires(), *when)) {
        return c.reply.integer(0);
    }
    if (*when <= c.now.steady) {
        where->erase(key, c.now.steady);
    } else {
        where->set_deadline(key, *found, *when);
    }
    c.reply.integer(1);
}

void expire(call& c) { expire_generic(c, "expire", {.in_seconds = true, .is_date = false}); }
void pexpire(call& c) { expire_generic(c, "pexpire", {.in_seconds = false, .is_date = false}); }
void expireat(call& c) { expire_generic(c, "expireat", {.in_seconds = true, .is_date = true}); }
void pexpireat(call& c) { expire_generic(c, "pexpireat", {.in_seconds = false, .is_date = true}); }

// What is left of the entry's time: -2 no entry, -1 no deadline.
std::int64_t remaining(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    if (found == nullptr) return -2;
    if (found->expires() == never) return -1;
    return (found->expires() - c.now.steady).count();
}

void pttl(call& c) { c.reply.integer(remaining(c)); }

void ttl(call& c) {
    const std::int64_t left = remaining(c);
    c.reply.integer(left < 0 ? left : (left + 500) / 1000);
}

void persist(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    entry* found = where->find(key, c.now.steady);
    if (found == nullptr || found->expires() == never) return c.reply.integer(0);
    where->set_deadline(key, *found, never);
    c.reply.integer(1);
}

constexpr std::string_view writes = "write fast";
constexpr std::string_view reads = "readonly fast";

constexpr command table[] = {
    {"del", del, -2, "write", 1, -1, 1, "Delete keys"},
    {"unlink", del, -2, writes, 1, -1, 1, "Delete keys"},
    {"exists", exists, -2, reads, 1, -1, 1, "Count the keys that exist"},
    {"touch", exists, -2, reads, 1, -1, 1, "Count the keys that exist"},
    {"type", type, 2, reads, 1, 1, 1, "Determine the type stored at a key"},
    {"expire", expire, -3, writes, 1, 1, 1, "Set a key's time to live in seconds"},
    {"pexpire", pexpire, -3, writes, 1, 1, 1, "Set a key's time to live in milliseconds"},
    {"expireat", expireat, -3, writes, 1, 1, 1, "Set when a key expires, in seconds since 1970"},
    {"pexpireat", pexpireat, -3, writes, 1, 1, 1, "Set when a key expires, in ms since 1970"},
    {"ttl", ttl, 2, reads, 1, 1, 1, "Get the time to live of a key in seconds"},
    {"pttl", pttl, 2, reads, 1, 1, 1, "Get the time to live of a key in milliseconds"},
    {"persist", persist, 2, writes, 1, 1, 1, "Remove the expiration from a key"},
};

}  // namespace

std::span<const command> key_commands() noexcept { return table; }

}  // namespace kv
