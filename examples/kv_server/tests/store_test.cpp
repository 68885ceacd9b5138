// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "store.hpp"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "dialogue.hpp"
#include "support/catch.hpp"

namespace {

using kv::hashed_key;
using kv::test::dialogue;
using kv::test::numbered;
using namespace std::chrono_literals;

const kv::deadline start{1000ms};

void put(kv::store& data, std::string_view name, kv::deadline expires) {
    const hashed_key key(name);
    const auto where = data.lock(key);
    where->set_deadline(key, where->find_or_create(key, start), expires);
}

TEST_CASE("sweep frees what is over and says when the next deadline is") {
    kv::store data(4);
    for (int i = 0; i < 1000; ++i) put(data, numbered("short", i), start + 10ms);
    put(data, "long", start + 70ms);
    put(data, "forever", kv::never);
    REQUIRE(data.size().expiring == 1001);
    REQUIRE(data.sweep(start + 9ms) == start + 10ms);
    REQUIRE(data.size().keys == 1002);
    REQUIRE(data.sweep(start + 10ms) == start + 70ms);
    REQUIRE(data.size().keys == 2);
    REQUIRE(data.has_deadlines());
    REQUIRE(data.sweep(start + 70ms) == kv::never);
    REQUIRE_FALSE(data.has_deadlines());
    REQUIRE(data.size().keys == 1);
    REQUIRE(data.size().expiring == 0);
}

TEST_CASE("a renewed deadline counts, not the one before it") {
    kv::store data(1);
    for (int i = 1; i <= 10'000; ++i) put(data, "k", start + (i % 7 + 1) * 1s);
    put(data, "k", start + 60s);
    REQUIRE(data.sweep(start + 59s) == start + 60s);
    REQUIRE(data.size().keys == 1);
    put(data, "k", kv::never);
    data.sweep(start + 61s);
    REQUIRE(data.size().keys == 1);
}

TEST_CASE("several keys are locked at once, in any order, by many threads") {
    kv::store data(8);
    const std::vector<std::string_view> forwards{"a", "b", "c", "d", "e", "f"};
    const std::vector<std::string_view> backwards(forwards.rbegin(), forwards.rend());
    int plain_counter = 0;  // guarded by the locks
    const auto work = [&](const std::vector<std::string_view>& keys) {
        for (int i = 0; i < 20'000; ++i) {
            const auto where = data.lock(keys);
            ++plain_counter;
        }
    };
    {
        const std::jthread one([&] { work(forwards); });
        const std::jthread other([&] { work(backwards); });
    }
    REQUIRE(plain_counter == 40'000);
}

TEST_CASE("clear removes everything from every shard") {
    kv::store data;
    for (int i = 0; i < 300; ++i) put(data, std::to_string(i), start + 1s);
    data.clear();
    REQUIRE(data.size().keys == 0);
    REQUIRE(data.size().expiring == 0);
    REQUIRE(data.sweep(start + 2s) == kv::never);
}

TEST_CASE("a dump, replayed, recreates the data") {
    dialogue first;
    first({"SET", "s", "a\r\nb"});
    first({"SET", "t", "v", "PX", "5000"});
    first({"RPUSH", "l", "1", "2", "3"});
    first({"HSET", "h", "f", "1", "g", "2"});
    first({"SET", "gone", "v", "PX", "1"});
    first.pass(10ms);

    dialogue second;
    second.pass(10ms);
    const std::string answers = second.send(first.data().dump(first.now()));
    REQUIRE(answers.find('-') == std::string::npos);
    REQUIRE(second({"GET", "s"}) == "$4\r\na\r\nb\r\n");
    REQUIRE(second({"PTTL", "t"}) == ":4990\r\n");
    REQUIRE(second({"LRANGE", "l", "0", "-1"}) == first({"LRANGE", "l", "0", "-1"}));
    REQUIRE(second({"HGETALL", "h"}) == first({"HGETALL", "h"}));
    REQUIRE(second({"DBSIZE"}) == ":4\r\n");
}

TEST_CASE("every command is found in any case, and nothing else is") {
    const auto& index = kv::command_index::all();
    for (const kv::command* each : index.commands()) {
        std::string name(each->name);
        REQUIRE(index.find(name) == each);
        for (char& letter : name) {
            if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - ('a' - 'A'));
        }
        REQUIRE(index.find(name) == each);
        REQUIRE(index.find(name + "x") == nullptr);
        REQUIRE(index.find(name.substr(1)) != each);
    }
    REQUIRE(index.find("") == nullptr);
    REQUIRE(index.find("GE\xd4") == nullptr);  // 'T' with the high bit set
    REQUIRE(index.find(std::string("get\0", 4)) == nullptr);
}

}  // namespace
