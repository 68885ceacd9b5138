// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "resp_parser.hpp"

#include <random>
#include <string>
#include <vector>

#include "dialogue.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"

namespace {

using kv::resp_parser;
using status = resp_parser::status;
using words = std::vector<std::string>;

struct outcome {
    std::vector<words> requests;
    std::string error;
    std::size_t examined = 0;
    bool operator==(const outcome& other) const {
        return requests == other.requests && error == other.error;
    }
};

// Shows the parser `piece` bytes more each time, as a connection does.
outcome parse(std::string_view bytes, std::size_t piece, kv::parser_limits limits = {}) {
    resp_parser parser(limits);
    outcome result;
    std::size_t begin = 0;
    std::size_t shown = 0;
    while (shown < bytes.size()) {
        shown = std::min(bytes.size(), shown + piece);
        for (;;) {
            // A copy, so that a view that outlived its call would be seen by the sanitizer.
            const std::string window(bytes.substr(begin, shown - begin));
            const status state = parser.parse(window);
            if (state == status::need_more) break;
            if (state == status::broken) {
                result.error = parser.error();
                return result;
            }
            if (state == status::request) {
                const auto arguments = parser.arguments();
                result.requests.emplace_back(arguments.begin(), arguments.end());
            }
            begin += parser.consumed();
            parser.next();
        }
    }
    result.examined = parser.examined();
    return result;
}

outcome parse(std::string_view bytes) { return parse(bytes, bytes.size()); }

TEST_CASE("a multibulk request is split into its arguments") {
    using namespace std::string_literals;
    const auto result = parse("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\n\0b\r\n"s);
    REQUIRE(result.requests == std::vector<words>{{"SET", "k", "a\r\n\0b"s}});
}

TEST_CASE("pipelined requests come out one by one") {
    const auto result = parse("*1\r\n$4\r\nPING\r\nPING x\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n");
    REQUIRE(result.requests == std::vector<words>{{"PING"}, {"PING", "x"}, {"ECHO", ""}});
}

TEST_CASE("empty requests are skipped") {
    REQUIRE(parse("\r\n\n   \r\n*0\r\n*-1\r\nPING\n").requests == std::vector<words>{{"PING"}});
}

TEST_CASE("inline requests know both kinds of quotes") {
    REQUIRE(parse("set k \"a \\\"b\\\" \\x41\\n\\q\" 'it\\'s \\n' x\"y z\"\r\n").requests ==
            std::vector<words>{{"set", "k", "a \"b\" A\nq", "it's \\n", "xy z"}});
    for (const auto* line : {"a \"b\r\n", "a 'b\r\n", "a \"b\"c\r\n", "a 'b'c\r\n"}) {
        REQUIRE(parse(line).error == "Protocol error: unbalanced quotes in request");
    }
}

TEST_CASE("lengths are canonical integers within the limits") {
    for (const auto* bad : {"*x\r\n", "*01\r\n", "*+1\r\n", "* 1\r\n", "*\r\n", "*1048577\r\n",
                            "*99999999999999999999\r\n", "*-0\r\n"}) {
        REQUIRE(parse(bad).error == "Protocol error: invalid multibulk length");
    }
    for (const auto* bad :
         {"$-1\r\n", "$x\r\n", "$\r\n", "$1 \r\n", "$536870913\r\n", "$007\r\n"}) {
        REQUIRE(parse("*1\r\n" + std::string(bad)).error == "Protocol error: invalid bulk length");
    }
    REQUIRE(parse("*1\r\nPING\r\n").error == "Protocol error: expected '$', got 'P'");
    kv::parser_limits small;
    small.bulk = 3;
    small.arguments = 2;
    REQUIRE(parse("*1\r\n$4\r\n", 9, small).error == "Protocol error: invalid bulk length");
    REQUIRE(parse("*3\r\n", 9, small).error == "Protocol error: invalid multibulk length");
}

TEST_CASE("a line that never ends is refused once it is too long") {
    const std::string filler(64 * 1024, '1');
    REQUIRE(parse(filler).error.empty());
    REQUIRE(parse(filler + "1").error == "Protocol error: too big inline request");
    REQUIRE(parse("*" + filler).error == "Protocol error: too big mbulk count string");
    REQUIRE(parse("*1\r\n$" + filler).error == "Protocol error: too big bulk count string");
    REQUIRE(parse("*1\r\n$" + std::string(70'000, '\0')).error ==
            "Protocol error: too big bulk count string");
}

TEST_CASE("a request may arrive byte by byte, and costs linear time then") {
    std::string bytes = "*200\r\n";
    for (int i = 0; i < 200; ++i) bytes += "$3\r\nabc\r\n";
    bytes += std::string(3000, 'i') + "\r\n";
    const auto dribbled = parse(bytes, 1);
    REQUIRE(dribbled == parse(bytes));
    REQUIRE(dribbled.requests.size() == 2);
    REQUIRE(dribbled.examined <= 2 * bytes.size());
}

std::string random_stream(std::mt19937_64& random) {
    static const std::vector<std::string> pieces{
        "*1\r\n", "*2\r\n",   "*3\r\n", "$0\r\n\r\n", "$3\r\nGET\r\n", "$1\r\nk\r\n", "\r\n",  "*",
        "$",      "PING\r\n", "\"",     "'",          "\\x4",          "*-1\r\n",     "\n",    "\r",
        "0",      "12",       " ",      "*0\r\n",     "$-1\r\n",       "x",           "$4\r\n"};
    std::string bytes;
    const auto count = random() % 12;
    for (std::uint64_t i = 0; i < count; ++i) bytes += pieces[random() % pieces.size()];
    if (!bytes.empty() && random() % 4 == 0) {
        bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    }
    return bytes;
}

TEST_CASE("any stream means the same however it is cut into pieces") {
    std::mt19937_64 random(weft::test::seed());
    for (int round = 0; round < 20'000; ++round) {
        const std::string bytes = random_stream(random);
        const outcome whole = parse(bytes);
        for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL}) {
            CAPTURE(bytes, piece);
            REQUIRE(parse(bytes, piece) == whole);
        }
    }
}

TEST_CASE("what a client library sends is what the command receives, whatever the bytes") {
    std::mt19937_64 random(weft::test::seed());
    for (int round = 0; round < 500; ++round) {
        words sent(1 + random() % 5);
        kv::reply_writer request;
        request.array(sent.size());
        for (std::string& word : sent) {
            word.resize(random() % 40);
            for (char& letter : word) letter = static_cast<char>(random() % 256);
            request.bulk(word);
        }
        REQUIRE(parse(request.text(), 1 + random() % 9).requests == std::vector<words>{sent});
    }
}

}  // namespace
