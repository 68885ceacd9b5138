// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "options.hpp"

#include <initializer_list>
#include <vector>

#include "support/catch.hpp"

namespace {

kv::options parse(std::initializer_list<const char*> arguments) {
    return kv::parse_options(std::vector<const char*>(arguments));
}

TEST_CASE("the command line sets what it names and leaves the rest") {
    const kv::options all = parse({"--port", "0", "--max-bulk", "100", "--idle-timeout", "7"});
    REQUIRE(all.settings.port == 0);
    REQUIRE(all.settings.limits.bulk == 100);
    REQUIRE(all.settings.idle_timeout == std::chrono::seconds(7));
    REQUIRE(all.settings.address == "127.0.0.1");
    REQUIRE(all.dump_file.empty());
    REQUIRE(parse({"--help"}).wants_help);
}

TEST_CASE("a wrong command line is refused with a sentence") {
    REQUIRE_THROWS_AS(parse({"--port"}), kv::usage_error);
    REQUIRE_THROWS_AS(parse({"--port", "65536"}), kv::usage_error);
    REQUIRE_THROWS_AS(parse({"--port", "x"}), kv::usage_error);
    REQUIRE_THROWS_AS(parse({"--shards", "0"}), kv::usage_error);
    REQUIRE_THROWS_AS(parse({"--nope", "1"}), kv::usage_error);
}

}  // namespace
