// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "session.hpp"

#include <limits>
#include <random>

#include "dialogue.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"

namespace {

using kv::test::dialogue;
using kv::test::numbered;
using kv::test::request;
using namespace std::chrono_literals;

const std::string ok = "+OK\r\n";
const std::string nil = "$-1\r\n";
const std::string wrong_type =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const std::string not_an_integer = "-ERR value is not an integer or out of range\r\n";
const std::string syntax_error = "-ERR syntax error\r\n";

TEST_CASE("PING, ECHO, SELECT and QUIT answer as Redis does") {
    dialogue client;
    REQUIRE(client.send("ping\r\nPiNg x\r\necho 'a b'\r\nselect 0\r\nselect 1\r\n") ==
            "+PONG\r\n$1\r\nx\r\n$3\r\na b\r\n+OK\r\n-ERR DB index is out of range\r\n");
    REQUIRE(client.send("quit\r\nping\r\n") == ok);
    REQUIRE(client.is_closed());
}

TEST_CASE("an unknown command is answered with what was sent, and the connection goes on") {
    dialogue client;
    REQUIRE(client({"nope", "a", "b"}) ==
            "-ERR unknown command 'nope', with args beginning with: 'a' 'b' \r\n");
    REQUIRE(client({"no\r\npe"}) ==
            "-ERR unknown command 'no  pe', with args beginning with: \r\n");
    REQUIRE(client({"GET"}) == "-ERR wrong number of arguments for 'get' command\r\n");
    REQUIRE(client({"CONFIG", "GET"}) ==
            "-ERR wrong number of arguments for 'config|get' command\r\n");
    REQUIRE(client({"CLIENT", "nope"}) == "-ERR unknown subcommand 'nope'. Try CLIENT HELP.\r\n");
    REQUIRE_FALSE(client.is_closed());
}

TEST_CASE("a protocol error is answered after everything before it, then the connection closes") {
    dialogue client;
    REQUIRE(client.send("PING\r\n*1\r\nx\r\nPING\r\n") ==
            "+PONG\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
    REQUIRE(client.is_closed());
}

TEST_CASE("an HTTP request is hung up on without executing its body") {
    dialogue client;
    REQUIRE(client.send("POST / HTTP/1.1\r\nSET a 1\r\n").empty());
    REQUIRE(client.is_closed());
    client.reconnect();
    REQUIRE(client({"EXISTS", "a"}) == ":0\r\n");
}

TEST_CASE("SET obeys its options") {
    dialogue client;
    REQUIRE(client({"SET", "k", "1", "XX"}) == nil);
    REQUIRE(client({"SET", "k", "1", "NX", "GET"}) == nil);
    REQUIRE(client({"SET", "k", "2", "nx"}) == nil);
    REQUIRE(client({"SET", "k", "2", "XX", "GET"}) == "$1\r\n1\r\n");
    REQUIRE(client({"SET", "k", "3", "NX", "XX"}) == syntax_error);
    REQUIRE(client({"SET", "k", "3", "EX"}) == syntax_error);
    REQUIRE(client({"SET", "k", "3", "EX", "1", "PX", "1"}) == syntax_error);
    REQUIRE(client({"SET", "k", "3", "EX", "1", "KEEPTTL"}) == syntax_error);
    REQUIRE(client({"SET", "k", "3", "EX", "x"}) == not_an_integer);
    for (const auto* bad : {"0", "-1", "9223372036854775807", "9223372036854775"}) {
        REQUIRE(client({"SET", "k", "3", "EX", bad}) ==
                "-ERR invalid expire time in 'set' command\r\n");
    }
    REQUIRE(client({"GET", "k"}) == "$1\r\n2\r\n");
}

TEST_CASE("a key is gone when its time is over") {
    dialogue client;
    REQUIRE(client({"SET", "k", "v", "PX", "1500"}) == ok);
    REQUIRE(client({"TTL", "k"}) == ":2\r\n");
    client.pass(600ms);
    REQUIRE(client({"PTTL", "k"}) == ":900\r\n");
    REQUIRE(client({"SET", "k", "w", "KEEPTTL"}) == ok);
    client.pass(899ms);
    REQUIRE(client({"GET", "k"}) == "$1\r\nw\r\n");
    client.pass(1ms);
    REQUIRE(client({"GET", "k"}) == nil);
    REQUIRE(client({"TTL", "k"}) == ":-2\r\n");
}

TEST_CASE("EXPIRE sets, compares and removes deadlines") {
    dialogue client;
    client({"SET", "k", "v"});
    REQUIRE(client({"TTL", "k"}) == ":-1\r\n");
    REQUIRE(client({"EXPIRE", "k", "10", "XX"}) == ":0\r\n");
    REQUIRE(client({"EXPIRE", "k", "10", "GT"}) == ":0\r\n");
    REQUIRE(client({"EXPIRE", "k", "10", "LT"}) == ":1\r\n");
    REQUIRE(client({"EXPIRE", "k", "20", "NX"}) == ":0\r\n");
    REQUIRE(client({"EXPIRE", "k", "20", "GT"}) == ":1\r\n");
    REQUIRE(client({"PTTL", "k"}) == ":20000\r\n");
    REQUIRE(client({"EXPIREAT", "k", "1700000030"}) == ":1\r\n");
    REQUIRE(client({"PTTL", "k"}) == ":30000\r\n");
    REQUIRE(client({"PERSIST", "k"}) == ":1\r\n");
    REQUIRE(client({"PERSIST", "k"}) == ":0\r\n");
    REQUIRE(client({"EXPIRE", "k", "1", "QQ"}) == "-ERR Unsupported option QQ\r\n");
    REQUIRE(client({"EXPIRE", "k", "9223372036854775807"}) ==
            "-ERR invalid expire time in 'expire' command\r\n");
    REQUIRE(client({"PEXPIREAT", "k", "-9223372036854775808"}) == ":1\r\n");
    REQUIRE(client({"EXISTS", "k"}) == ":0\r\n");
}

TEST_CASE("overwriting a key ends its deadline, counting does not") {
    dialogue client;
    client({"SET", "k", "1", "EX", "10"});
    REQUIRE(client({"INCR", "k"}) == ":2\r\n");
    REQUIRE(client({"TTL", "k"}) == ":10\r\n");
    client({"MSET", "k", "5"});
    REQUIRE(client({"TTL", "k"}) == ":-1\r\n");
}

TEST_CASE("counters refuse what is no integer and what does not fit") {
    dialogue client;
    REQUIRE(client({"INCRBY", "n", "9223372036854775807"}) == ":9223372036854775807\r\n");
    REQUIRE(client({"INCR", "n"}) == "-ERR increment or decrement would overflow\r\n");
    REQUIRE(client({"DECRBY", "n", "-9223372036854775808"}) == "-ERR decrement would overflow\r\n");
    REQUIRE(client({"INCRBY", "n", "1.5"}) == not_an_integer);
    for (const auto* text : {"", " 1", "01", "+1", "1 ", "-0", "abc", "9223372036854775808"}) {
        client({"SET", "t", text});
        REQUIRE(client({"DECR", "t"}) == not_an_integer);
    }
}

TEST_CASE("a command on the wrong kind of value changes nothing") {
    dialogue client;
    client({"RPUSH", "l", "a"});
    client({"HSET", "h", "f", "v"});
    REQUIRE(client({"GET", "l"}) == wrong_type);
    REQUIRE(client({"INCR", "h"}) == wrong_type);
    REQUIRE(client({"LPUSH", "h", "x"}) == wrong_type);
    REQUIRE(client({"HSET", "l", "f", "v"}) == wrong_type);
    REQUIRE(client({"SET", "l", "x", "GET"}) == wrong_type);
    REQUIRE(client({"MGET", "l", "h"}) == "*2\r\n$-1\r\n$-1\r\n");
    REQUIRE(client({"TYPE", "l"}) == "+list\r\n");
    REQUIRE(client({"SET", "l", "x"}) == ok);  // SET alone replaces anything
    REQUIRE(client({"TYPE", "l"}) == "+string\r\n");
}

TEST_CASE("lists grow and shrink at both ends and vanish when empty") {
    dialogue client;
    REQUIRE(client({"RPUSH", "l", "b", "c"}) == ":2\r\n");
    REQUIRE(client({"LPUSH", "l", "a", "z"}) == ":4\r\n");
    REQUIRE(client({"LRANGE", "l", "0", "-1"}) ==
            "*4\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    REQUIRE(client({"LRANGE", "l", "-100", "0"}) == "*1\r\n$1\r\nz\r\n");
    REQUIRE(client({"LRANGE", "l", "3", "1"}) == "*0\r\n");
    REQUIRE(client({"LRANGE", "l", "-9223372036854775808", "9223372036854775807"}).size() == 32);
    REQUIRE(client({"LINDEX", "l", "-1"}) == "$1\r\nc\r\n");
    REQUIRE(client({"LPOP", "l"}) == "$1\r\nz\r\n");
    REQUIRE(client({"RPOP", "l", "9"}) == "*3\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n");
    REQUIRE(client({"EXISTS", "l"}) == ":0\r\n");
    REQUIRE(client({"LPOP", "l"}) == nil);
    REQUIRE(client({"LPOP", "l", "1"}) == "*-1\r\n");
    REQUIRE(client({"LPOP", "l", "-1"}) == "-ERR value is out of range, must be positive\r\n");
}

TEST_CASE("hashes keep their fields, small or large, and vanish when empty") {
    dialogue client;
    REQUIRE(client({"HSET", "h", "a", "1", "b", "2", "a", "3"}) == ":2\r\n");
    REQUIRE(client({"HGETALL", "h"}) == "*4\r\n$1\r\na\r\n$1\r\n3\r\n$1\r\nb\r\n$1\r\n2\r\n");
    REQUIRE(client({"HINCRBY", "h", "b", "5"}) == ":7\r\n");
    for (int i = 0; i < 500; ++i) client({"HSET", "h", numbered("f", i), "x"});
    REQUIRE(client({"HLEN", "h"}) == ":502\r\n");
    REQUIRE(client({"HMGET", "h", "f499", "b", "none"}) == "*3\r\n$1\r\nx\r\n$1\r\n7\r\n$-1\r\n");
    for (int i = 0; i < 500; ++i) client({"HDEL", "h", numbered("f", i)});
    REQUIRE(client({"HDEL", "h", "a", "b", "c"}) == ":2\r\n");
    REQUIRE(client({"EXISTS", "h"}) == ":0\r\n");
    REQUIRE(client({"HSET", "h", "f"}) == "-ERR wrong number of arguments for 'hset' command\r\n");
}

TEST_CASE("CONFIG GET, COMMAND and INFO satisfy the stock tools") {
    dialogue client;
    REQUIRE(client({"CONFIG", "GET", "SAV*"}) == "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    REQUIRE(client({"CONFIG", "GET", "nope"}) == "*0\r\n");
    REQUIRE(client({"COMMAND", "DOCS", "get"}) ==
            "*2\r\n$3\r\nget\r\n*2\r\n$7\r\nsummary\r\n$22\r\nGet the value of a key\r\n");
    client({"SET", "k", "v", "EX", "5"});
    REQUIRE(client({"INFO", "keyspace"}) ==
            "$44\r\n# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=0\r\n\r\n");
}

TEST_CASE("a long output is handed over in parts, in order and complete") {
    dialogue client;
    const std::string value(10'000, 'v');
    client({"SET", "k", value});
    std::string gets;
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        gets += request({"GET", "k"});
        expected += "$10000\r\n" + value + "\r\n";
    }
    REQUIRE(client.send(gets) == expected);
}

TEST_CASE("a large value survives, in pieces of any size") {
    dialogue client;
    const std::string value(1'000'000, 'v');
    REQUIRE(client.send(request({"SET", "k", value}), 777) == ok);
    REQUIRE(client({"STRLEN", "k"}) == ":1000000\r\n");
}

TEST_CASE("no bytes make a session do anything but answer or close") {
    std::mt19937_64 random(weft::test::seed());
    const auto commands = kv::command_index::all().commands();
    for (int round = 0; round < 20'000; ++round) {
        dialogue client;
        kv::reply_writer requests;
        for (int i = 0; i < 4; ++i) {
            const auto count = 1 + random() % 6;
            requests.array(count);
            requests.bulk(commands[random() % commands.size()]->name);
            static constexpr std::string_view arguments[] = {"k", "1", "EX", "-1", ""};
            for (std::uint64_t j = 1; j < count; ++j) requests.bulk(arguments[random() % 5]);
        }
        std::string bytes(requests.text());
        if (random() % 2 == 0) bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
        client.send(bytes, 1 + random() % 64);
    }
}

}  // namespace
