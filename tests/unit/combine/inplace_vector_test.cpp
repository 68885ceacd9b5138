// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/inplace_vector.hpp"

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "support/catch.hpp"

using weft::inplace_vector;

namespace {

/// Counts its live objects, and throws when it is told to.
struct counted {
    static inline int alive = 0;
    static inline int copies_left = -1;

    counted() { ++alive; }
    counted(const counted& /*other*/) {
        if (copies_left == 0) throw 1;
        --copies_left;
        ++alive;
    }
    counted& operator=(const counted&) = default;
    ~counted() { --alive; }
};

}  // namespace

TEST_CASE("values lie in the vector, in order, up to its capacity", "[combine]") {
    inplace_vector<std::string, 3> words;
    CHECK(words.empty());
    CHECK(words.capacity() == 3);
    words.push_back("one");
    std::string& two = words.emplace_back(3, 't');
    words.push_back("three");
    CHECK(two == "ttt");
    CHECK(&two == words.data() + 1);
    CHECK(words.front() == "one");
    CHECK(words.back() == "three");
    CHECK_THROWS_AS(words.push_back("four"), std::bad_alloc);
    CHECK(words.size() == 3);
    std::string all;
    for (const std::string& word : std::as_const(words)) all += word;
    CHECK(all == "onetttthree");
    words.pop_back();
    CHECK(words.size() == 2);
    words.clear();
    CHECK(words.empty());
    words.push_back("again");
    CHECK(words[0] == "again");
}

TEST_CASE("an inplace_vector is moved and copied value by value", "[combine]") {
    inplace_vector<std::unique_ptr<int>, 2> owners;
    owners.push_back(std::make_unique<int>(5));
    auto moved = std::move(owners);
    CHECK(*moved[0] == 5);
    REQUIRE(owners.size() == 1);
    CHECK(owners[0] == nullptr);
    moved = inplace_vector<std::unique_ptr<int>, 2>{};
    CHECK(moved.empty());

    inplace_vector<std::string, 4> words;
    words.push_back("a word that is too long to lie in a string itself");
    auto copy = words;
    CHECK(copy[0] == words[0]);
    copy.push_back("more");
    words = copy;
    CHECK(words.size() == 2);
    static_assert(!std::is_copy_constructible_v<inplace_vector<std::unique_ptr<int>, 2>>);
}

TEST_CASE("every value of an inplace_vector is destroyed once, also after a copy that throws",
          "[combine]") {
    {
        inplace_vector<counted, 8> many;
        for (int i = 0; i < 5; ++i) many.emplace_back();
        CHECK(counted::alive == 5);
        counted::copies_left = 3;
        CHECK_THROWS_AS((inplace_vector<counted, 8>(many)), int);
        CHECK(counted::alive == 5);
        counted::copies_left = -1;
    }
    CHECK(counted::alive == 0);
}
