// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the commands on lists. A list that becomes empty stops existing.

#include <algorithm>

#include "command.hpp"

namespace kv {
namespace {

enum class side : bool { front, back };

// The list at a key. Answers WRONGTYPE itself (is_wrong); items == null: there is no such key.
struct found_list {
    list* items = nullptr;
    bool is_wrong = false;
};

found_list find_list(call& c, shard& where, const hashed_key& key) {
    entry* found = where.find(key, c.now.steady);
    if (found == nullptr) return {};
    auto* items = found->as<list>();
    if (items == nullptr) c.reply.error(sentence::wrong_type);
    return {items, items == nullptr};
}

void push(call& c, side where_to) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    auto [items, is_wrong] = find_list(c, *where, key);
    if (is_wrong) return;
    if (items == nullptr) items = &where->find_or_create(key, c.now.steady).become<list>();
    for (const std::string_view item : c.arguments.subspan(2)) {
        if (where_to == side::front) {
            items->emplace_front(item);
        } else {
            items->emplace_back(item);
        }
    }
    c.reply.integer(static_cast<std::int64_t>(items->size()));
}

void lpush(call& c) { push(c, side::front); }
void rpush(call& c) { push(c, side::back); }

void pop_one(call& c, list& items, side from) {
    if (from == side::front) {
        c.reply.bulk(items.front());
        items.pop_front();
    } else {
        c.reply.bulk(items.back());
        items.pop_back();
    }
}

void pop(call& c, std::string_view name, side from) {
    if (c.size() > 3) return reply_wrong_arity(c.reply, name);
    std::size_t count = 1;
    const bool wants_array = c.size() == 3;
    if (wants_array) {
        const auto wanted = parse_integer(c[2]);
        if (!wanted || *wanted < 0) {
            return c.reply.error("ERR value is out of range, must be positive");
        }
        count = static_cast<std::size_t>(*wanted);
    }
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [items, is_wrong] = find_list(c, *where, key);
    if (is_wrong) return;
    if (items == nullptr) return wants_array ? c.reply.null_array() : c.reply.null_bulk();
    count = std::min(count, items->size());
    if (wants_array) c.reply.array(count);
    for (std::size_t i = 0; i < count; ++i) pop_one(c, *items, from);
    if (items->empty()) where->erase(key, c.now.steady);
}

void lpop(call& c) { pop(c, "lpop", side::front); }
void rpop(call& c) { pop(c, "rpop", side::back); }

void llen(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [items, is_wrong] = find_list(c, *where, key);
    if (is_wrong) return;
    c.reply.integer(items == nullptr ? 0 : static_cast<std::int64_t>(items->size()));
}

void lindex(call& c) {
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [items, is_wrong] = find_list(c, *where, key);
    if (is_wrong) return;
    if (items == nullptr) return c.reply.null_bulk();
    const auto wanted = integer_argument(c, 2);
    if (!wanted) return;
    const auto size = static_cast<std::int64_t>(items->size());
    const std::int64_t index = *wanted < 0 ? *wanted + size : *wanted;
    if (index < 0 || index >= size) return c.reply.null_bulk();
    c.reply.bulk((*items)[static_cast<std::size_t>(index)]);
}

void lrange(call& c) {
    const auto first = integer_argument(c, 2);
    if (!first) return;
    const auto last = integer_argument(c, 3);
    if (!last) return;
    const hashed_key key(c[1]);
    const auto where = c.data().lock(key);
    const auto [items, is_wrong] = find_list(c, *where, key);
    if (is_wrong) return;
    if (items == nullptr) return c.reply.array(0);
    // Negative positions count from the end; what sticks out on either side is cut off.
    const auto size = static_cast<std::int64_t>(items->size());
    const std::int64_t begin = std::max<std::int64_t>(*first < 0 ? *first + size : *first, 0);
    const std::int64_t end = std::min(*last < 0 ? *last + size : *last, size - 1) + 1;
    if (begin >= end) return c.reply.array(0);
    c.reply.array(static_cast<std::size_t>(end - begin));
    for (auto item = items->begin() + begin; item != items->begin() + end; ++item) {
        c.reply.bulk(*item);
    }
}

constexpr std::string_view pushes = "write denyoom fast";
constexpr std::string_view pops = "write fast";

constexpr command table[] = {
    {"lpush", lpush, -3, pushes, 1, 1, 1, "Prepend elements to a list"},
    {"rpush", rpush, -3, pushes, 1, 1, 1, "Append elements to a list"},
    {"lpop", lpop, -2, pops, 1, 1, 1, "Remove and get the first elements of a list"},
    {"rpop", rpop, -2, pops, 1, 1, 1, "Remove and get the last elements of a list"},
    {"llen", llen, 2, "readonly fast", 1, 1, 1, "Get the length of a list"},
    {"lindex", lindex, 3, "readonly", 1, 1, 1, "Get an element of a list by its index"},
    {"lrange", lrange, 4, "readonly", 1, 1, 1, "Get a range of elements of a list"},
};

}  // namespace

std::span<const command> list_commands() noexcept { return table; }

}  // namespace kv
