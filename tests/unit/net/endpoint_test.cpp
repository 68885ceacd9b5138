// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/net/endpoint.hpp"

#include <stdexcept>
#include <string_view>

#include "support/catch.hpp"

using weft::net::endpoint;

TEST_CASE("an endpoint is written the way it is read", "[net][endpoint]") {
    CHECK(endpoint::parse("127.0.0.1", 80).to_string() == "127.0.0.1:80");
    CHECK(endpoint::parse("::1", 80).to_string() == "[::1]:80");
    CHECK(endpoint::parse("[2001:db8::7]", 65535).to_string() == "[2001:db8::7]:65535");
    CHECK(endpoint::parse("0.0.0.0", 0) == endpoint());
    CHECK(endpoint::parse("127.0.0.1", 1) == endpoint::loopback_v4(1));
    CHECK(endpoint::parse("::1", 1) == endpoint::loopback_v6(1));
    CHECK(endpoint::any_v4(5).address() == "0.0.0.0");
    CHECK(endpoint::any_v6(5).address() == "::");
    CHECK(endpoint::any_v6(5).is_v6());
    CHECK(endpoint::loopback_v4(5).port() == 5);
}

TEST_CASE("what is no address is refused", "[net][endpoint]") {
    for (std::string_view text :
         {"", "localhost", "127.0.0.1:80", "256.0.0.1", "[127.0.0.1]", "[::1", "1.2.3", " ::1"}) {
        CHECK_THROWS_AS(endpoint::parse(text, 1), std::invalid_argument);
    }
    CHECK_THROWS_AS(endpoint::parse(std::string_view("127.0.0.1\0x", 11), 1),
                    std::invalid_argument);
}

TEST_CASE("endpoints compare by address, then port", "[net][endpoint]") {
    CHECK(endpoint::loopback_v4(1) != endpoint::loopback_v4(2));
    CHECK(endpoint::loopback_v4(1) != endpoint::loopback_v6(1));
    CHECK(endpoint::loopback_v4(1) < endpoint::loopback_v4(2));
}
