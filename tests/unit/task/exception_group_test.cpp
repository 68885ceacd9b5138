// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/exception_group.hpp"

#include <system_error>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "weft/error.hpp"

using namespace weft;
using namespace weft::test;

namespace {

std::exception_ptr domain(const char* text) {
    return std::make_exception_ptr(std::domain_error(text));
}

std::exception_ptr argument(const char* text) {
    return std::make_exception_ptr(std::invalid_argument(text));
}

/// outer(a, inner(b, c), d): a and c are domain errors.
exception_group nested() {
    exception_group inner{"inner", {argument("b"), domain("c")}};
    return {"outer", {domain("a"), std::make_exception_ptr(inner), argument("d")}};
}

std::string leaves_of(const exception_group& group) {
    std::string all;
    for (const std::exception_ptr& leaf : group.flattened()) all += text_of(leaf);
    return all;
}

}  // namespace

TEST_CASE("a group says how many errors it has and what they say") {
    exception_group one{"work failed", {domain("a")}};
    CHECK(std::string{one.what()} == "work failed (1 error: a)");
    CHECK(one.message() == "work failed");
    CHECK(std::string{nested().what()} == "outer (4 errors: a; b; c; d)");
    exception_group five{"many", {domain("1"), domain("2"), domain("3"), domain("4"), domain("5")}};
    CHECK(std::string{five.what()} == "many (5 errors: 1; 2; 3; 4; ...)");
    exception_group stopped{"stop", {std::make_exception_ptr(cancelled{})}};
    CHECK(std::string{stopped.what()} == "stop (1 error: cancelled)");
}

TEST_CASE("a group of nothing is refused") {
    CHECK_THROWS_AS(exception_group("none", {}), std::invalid_argument);
    CHECK_THROWS_AS(exception_group("null", {domain("a"), nullptr}), std::invalid_argument);
}

TEST_CASE("leaves are visited in order, by type") {
    exception_group group = nested();
    CHECK(group.exceptions().size() == 3);
    CHECK(leaves_of(group) == "abcd");
    std::string seen;
    std::size_t count =
        group.for_each<std::domain_error>([&](const std::domain_error& e) { seen += e.what(); });
    CHECK(count == 2);
    CHECK(seen == "ac");
    CHECK(group.for_each<std::logic_error>([](const std::logic_error&) {}) == 4);
    CHECK(group.contains<std::invalid_argument>());
    CHECK_FALSE(group.contains<std::system_error>());
    CHECK_FALSE(group.contains<exception_group>());
}

TEST_CASE("a split keeps the nesting of both parts") {
    exception_group group = nested();
    auto [domains, rest] = group.split<std::domain_error>();
    REQUIRE(domains);
    REQUIRE(rest);
    CHECK(leaves_of(*domains) == "ac");
    CHECK(leaves_of(*rest) == "bd");
    CHECK(domains->message() == "outer");
    REQUIRE(domains->exceptions().size() == 2);
    std::string inner;
    detail::visit_as<exception_group>(domains->exceptions()[1],
                                      [&](const exception_group& g) { inner = g.what(); });
    CHECK(inner == "inner (1 error: c)");

    CHECK_FALSE(group.split<std::system_error>().matched);
    CHECK_FALSE(group.split<std::logic_error>().rest);
    auto after_b = [](const std::exception_ptr& leaf) { return text_of(leaf) > "b"; };
    std::optional<exception_group> late = group.subgroup(after_b);
    REQUIRE(late);
    CHECK(leaves_of(*late) == "cd");
    CHECK_FALSE(group.subgroup<std::system_error>());
}

TEST_CASE("copies of a group share its errors") {
    exception_group group = nested();
    exception_group copy = group;
    CHECK(&copy.exceptions() == &group.exceptions());
    static_assert(std::is_nothrow_copy_constructible_v<exception_group>);
}
