// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a scope's own request leaves behind; how the word behaves among threads: the model tests.
#include "weft/task/lifecycle.hpp"

#include "support/catch.hpp"

using weft::detail::real_environment;
using life = weft::detail::lifecycle<real_environment>;

namespace {

/// What an inner scope does that got a request and throws something else.
void deliver_again(life& word) {
    static_cast<void>(word.request());
    word.uncancel();
}

}  // namespace

TEST_CASE("a scope withdraws its request, delivered or not") {
    life word;
    auto own = word.request();
    CHECK(word.withdraw(own.epoch) == 0);
    CHECK_FALSE(word.has_requests());
    own = word.request();
    CHECK(word.take_requests());
    CHECK(word.withdraw(own.epoch) == 0);
    CHECK(word.cancelling() == 0);
}

TEST_CASE("a foreign request stays when a scope withdraws its own") {
    life word;
    auto own = word.request();
    static_cast<void>(word.request());
    CHECK(word.withdraw(own.epoch) == 1);
    CHECK(word.pending_requests() == 1);
    own = word.request();
    CHECK(word.take_requests());
    static_cast<void>(word.request());
    CHECK(word.withdraw(own.epoch) == 2);
    CHECK(word.pending_requests() == 1);
}

TEST_CASE("what an inner scope made undelivered again goes with the outer scope's request") {
    life word;
    auto own = word.request();
    CHECK(word.take_requests());
    deliver_again(word);
    CHECK(word.pending_requests() == 1);
    CHECK(word.withdraw(own.epoch) == 0);
    CHECK_FALSE(word.has_requests());
}

TEST_CASE("so it does beside a request that was heard before the scope") {
    life word;
    static_cast<void>(word.request());
    CHECK(word.take_requests());
    auto own = word.request();
    CHECK(word.take_requests());
    deliver_again(word);
    CHECK(word.withdraw(own.epoch, 1) == 1);
    CHECK_FALSE(word.has_requests());
}

TEST_CASE("but not beside one that came during the scope") {
    life word;
    static_cast<void>(word.request());
    CHECK(word.take_requests());
    auto own = word.request();
    static_cast<void>(word.request());
    CHECK(word.take_requests());
    deliver_again(word);
    CHECK(word.withdraw(own.epoch, 1) == 2);
    CHECK(word.has_requests());
}
