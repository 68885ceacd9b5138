// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The small parts that the session is made of: numbers, patterns, the input buffer, the hash value.

#include <cstring>
#include <random>
#include <string>
#include <unordered_map>

#include "dialogue.hpp"
#include "field_map.hpp"
#include "glob.hpp"
#include "input_buffer.hpp"
#include "numbers.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"

namespace {

using kv::matches_glob;
using kv::parse_integer;

TEST_CASE("an integer has one spelling") {
    REQUIRE(parse_integer("0") == 0);
    REQUIRE(parse_integer("-1") == -1);
    REQUIRE(parse_integer("9223372036854775807") == INT64_MAX);
    REQUIRE(parse_integer("-9223372036854775808") == INT64_MIN);
    for (const auto* text : {"", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "0x1",
                             "9223372036854775808", "-9223372036854775809"}) {
        REQUIRE_FALSE(parse_integer(text).has_value());
    }
}

TEST_CASE("an integer's text reads back as itself") {
    std::mt19937_64 random(weft::test::seed());
    for (int i = 0; i < 1000; ++i) {
        const auto value = static_cast<std::int64_t>(random() >> (random() % 64));
        REQUIRE(parse_integer(kv::integer_text(value).view()) == value);
        REQUIRE(parse_integer(kv::integer_text(-value).view()) == -value);
    }
}

TEST_CASE("a sum that does not fit is no sum") {
    REQUIRE(kv::checked_add(1, 2) == 3);
    REQUIRE_FALSE(kv::checked_add(INT64_MAX, 1).has_value());
    REQUIRE_FALSE(kv::checked_add(INT64_MIN, -1).has_value());
}

TEST_CASE("patterns match in any case, stars any text") {
    REQUIRE(matches_glob("*", ""));
    REQUIRE(matches_glob("SaVe", "save"));
    REQUIRE(matches_glob("s*e", "save"));
    REQUIRE(matches_glob("*ave*", "save"));
    REQUIRE(matches_glob("s?ve", "save"));
    REQUIRE(matches_glob("*a*b*c", "xaxbxbxc"));
    REQUIRE_FALSE(matches_glob("", "save"));
    REQUIRE_FALSE(matches_glob("save", "saves"));
    REQUIRE_FALSE(matches_glob("saves", "save"));
    REQUIRE_FALSE(matches_glob("s?e", "save"));
    REQUIRE_FALSE(matches_glob(std::string(30, '*').append("b"), std::string(1000, 'a')));
}

TEST_CASE("the input buffer keeps what was not consumed, however it is fed") {
    std::mt19937_64 random(weft::test::seed());
    kv::input_buffer buffer;
    std::string expected;
    char next = 0;
    for (int round = 0; round < 20'000; ++round) {
        const auto room = buffer.prepare();
        REQUIRE_FALSE(room.empty());
        const std::size_t count = std::min<std::size_t>(room.size(), random() % 3000);
        for (std::size_t i = 0; i < count; ++i) {
            room[i] = static_cast<std::byte>(next);
            expected.push_back(next++);
        }
        buffer.commit(count);
        REQUIRE(buffer.unread() == expected);
        const std::size_t taken = std::min<std::size_t>(expected.size(), random() % 3500);
        buffer.consume(taken);
        expected.erase(0, taken);
    }
}

TEST_CASE("the input buffer is small for the quiet and gives a giant's memory back") {
    kv::input_buffer buffer;
    REQUIRE(buffer.prepare().size() == 1024);
    while (buffer.capacity() < 1'000'000) buffer.commit(buffer.prepare().size());
    buffer.consume(buffer.unread().size());
    REQUIRE(buffer.prepare().size() == 16 * 1024);
}

TEST_CASE("a hash value is a map from field to text, small and large") {
    std::mt19937_64 random(weft::test::seed());
    kv::field_map fields;
    std::unordered_map<std::string, std::string> expected;
    for (int i = 0; i < 5000; ++i) {
        const std::string name = kv::test::numbered("f", static_cast<int>(random() % 300));
        if (random() % 3 == 0) {
            REQUIRE(fields.erase(name) == (expected.erase(name) == 1));
        } else {
            const std::string text = std::to_string(i);
            REQUIRE(fields.set(name, text) == expected.insert_or_assign(name, text).second);
        }
        REQUIRE(fields.size() == expected.size());
    }
    fields.for_each([&](std::string_view name, std::string_view text) {
        REQUIRE(expected.at(std::string(name)) == text);
        REQUIRE(*fields.find(name) == text);
    });
}

}  // namespace
