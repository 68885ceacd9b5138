// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands on hashes (field -> text). A hash that becomes empty stops existing.

#include "command.hpp"

namespace kv {
namespace {

// The hash at a key. Answers WRONGTYPE itself (is_wrong); fields == null: there is no such key.
struct found_hash {
    field_map* fields = nullptr;
    bool is_wrong = false;
};

found_hash find_hash(call& c, shard& where, const hashed_key& key) {
    entry* found = where.find(key, c.now.steady);
    if (found == nullptr) return {};
    auto* fields = found->as<field_map>();
    if (fields == nullptr) c.reply.error(sentence::wrong_type);
    return {fields, fields == nullptr};
}

// Sets the pairs and returns how many fields are new; nothing if the type is wrong.
std::optional<std::int64_t> set_fields(call& c, shard& where, const hashed_key& key) {
    auto [fields, is_wrong] = find_hash(c, where, key);
    if (is_wrong) return std::nullopt;
    if (fields == nullptr) fields = &where.find_or_create(key, c.now.steady).become<field_map>();
    std::int64_t added = 0;
    for (std::size_t i = 2; i < c.size(); i += 2) {
        if (fields->set(c[i], c[i + 1])) ++added;
    }
    return added;
}

void hset(call& c) {
    if (c.size() % 2 != 0) return reply_wrong_arity(c.reply, "hset");
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    if (const auto added = set_fields(c, *where, key)) c.reply.integer(*added);
}

void hmset(call& c) {
    if (c.size() % 2 != 0) return reply_wrong_arity(c.reply, "hmset");
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    if (set_fields(c, *where, key)) c.reply.ok();
}

void reply_field(call& c, field_map* fields, std::string_view name) {
    const std::string* text = fields == nullptr ? nullptr : fields->find(name);
    if (text == nullptr) return c.reply.null_bulk();
    c.reply.bulk(*text);
}

void hget(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (!is_wrong) reply_field(c, fields, c[2]);
}

void hmget(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    c.reply.array(c.size() - 2);
    for (const std::string_view name : c.arguments.subspan(2)) reply_field(c, fields, name);
}

void hdel(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    std::int64_t count = 0;
    if (fields != nullptr) {
        for (const std::string_view name : c.arguments.subspan(2)) count += fields->erase(name);
        if (fields->empty()) where->erase(key, c.now.steady);
    }
    c.reply.integer(count);
}

void hlen(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    c.reply.integer(fields == nullptr ? 0 : static_cast<std::int64_t>(fields->size()));
}

void hexists(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    c.reply.integer(fields != nullptr && fields->find(c[2]) != nullptr ? 1 : 0);
}

void reply_all(call& c, bool with_names, bool with_texts) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    if (fields == nullptr) return c.reply.array(0);
    c.reply.array(fields->size() * (with_names && with_texts ? 2 : 1));
    fields->for_each([&](std::string_view name, std::string_view text) {
        if (with_names) c.reply.bulk(name);
        if (with_texts) c.reply.bulk(text);
    });
}

void hgetall(call& c) { reply_all(c, true, true); }
void hkeys(call& c) { reply_all(c, true, false); }
void hvals(call& c) { reply_all(c, false, true); }

void hincrby(call& c) {
    const auto amount = integer_argument(c, 3);
    if (!amount) return;
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    auto [fields, is_wrong] = find_hash(c, *where, key);
    if (is_wrong) return;
    std::int64_t old = 0;
    const std::string* text = fields == nullptr ? nullptr : fields->find(c[2]);
    if (text != nullptr) {
        const auto value = parse_integer(*text);
        if (!value) return c.reply.error("ERR hash value is not an integer");
        old = *value;
    }
    const auto sum = checked_add(old, *amount);
    if (!sum) return c.reply.error(sentence::would_overflow);
    if (fields == nullptr) fields = &where->find_or_create(key, c.now.steady).become<field_map>();
    fields->set(c[2], integer_text(*sum).view());
    c.reply.integer(*sum);
}

constexpr std::string_view writes = "write denyoom fast";
constexpr std::string_view reads_fast = "readonly fast";

constexpr command table[] = {
    {"hset", hset, -4, writes, 1, 1, 1, "Set fields of a hash"},
    {"hmset", hmset, -4, writes, 1, 1, 1, "Set fields of a hash"},
    {"hget", hget, 3, reads_fast, 1, 1, 1, "Get the value of a field of a hash"},
    {"hmget", hmget, -3, reads_fast, 1, 1, 1, "Get the values of fields of a hash"},
    {"hdel", hdel, -3, "write fast", 1, 1, 1, "Delete fields of a hash"},
    {"hlen", hlen, 2, reads_fast, 1, 1, 1, "Get the number of fields of a hash"},
    {"hexists", hexists, 3, reads_fast, 1, 1, 1, "Determine whether a field exists"},
    {"hgetall", hgetall, 2, "readonly", 1, 1, 1, "Get all fields and values of a hash"},
    {"hkeys", hkeys, 2, "readonly", 1, 1, 1, "Get all fields of a hash"},
    {"hvals", hvals, 2, "readonly", 1, 1, 1, "Get all values of a hash"},
    {"hincrby", hincrby, 4, writes, 1, 1, 1, "Increment the integer value of a field"},
};

}  // namespace

std::span<const command> hash_commands() noexcept { return table; }

}  // namespace kv
