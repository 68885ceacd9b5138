// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/parker.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using weft::detail::park_result;
using weft::detail::real_environment;
using weft::detail::time_point;
using weft::detail::unpark_result;
using parker_type = weft::detail::parker<real_environment>;

/// Waits until the other thread is parked: no clock, no bound.
void await_parked(const parker_type& parker) {
    while (!parker.is_parked()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a token left before the park makes it return at once", "[park][parker]") {
    parker_type parker;
    CHECK(parker.unpark() == unpark_result::stored);
    CHECK(parker.park_futex(time_point::max()) == park_result::notified);
    CHECK(parker.park_futex(real_environment::now()) == park_result::timed_out);
}

TEST_CASE("tokens do not add up", "[park][parker]") {
    parker_type parker;
    CHECK(parker.unpark() == unpark_result::stored);
    CHECK(parker.unpark() == unpark_result::stored);
    CHECK(parker.clear_token());
    CHECK_FALSE(parker.clear_token());
    CHECK(parker.park_futex(time_point::min()) == park_result::timed_out);
}

TEST_CASE("a park ends at its deadline, never before", "[park][parker]") {
    parker_type parker;
    const auto deadline = real_environment::now() + 3ms;
    CHECK(parker.park_futex(deadline) == park_result::timed_out);
    CHECK(real_environment::now() >= deadline);
    CHECK_FALSE(parker.is_parked());
}

TEST_CASE("an unpark wakes a thread that sleeps on the futex", "[park][parker]") {
    parker_type parker;
    int datum = 0;
    unpark_result found{};
    std::thread waker([&] {
        await_parked(parker);
        datum = 7;
        found = parker.unpark();
    });
    const auto result = parker.park_futex(time_point::max());
    const int seen = datum;  // no join yet: the parker's own edge makes it visible
    waker.join();
    CHECK(result == park_result::notified);
    CHECK(seen == 7);
    CHECK(found == unpark_result::woke_futex);
}

TEST_CASE("an unpark of a worker in its poller tells the waker to write", "[park][parker]") {
    parker_type parker;
    REQUIRE(parker.prepare_poll());
    CHECK(parker.is_parked());
    CHECK(parker.unpark() == unpark_result::must_wake_poll);
    CHECK(parker.unpark() == unpark_result::stored);
    CHECK(parker.finish_poll());
    CHECK_FALSE(parker.clear_token());
}

TEST_CASE("a token keeps a worker out of its poller", "[park][parker]") {
    parker_type parker;
    CHECK(parker.unpark() == unpark_result::stored);
    CHECK_FALSE(parker.prepare_poll());
    CHECK(parker.prepare_poll());
    CHECK_FALSE(parker.finish_poll());
    CHECK(parker.unpark() == unpark_result::stored);
}
