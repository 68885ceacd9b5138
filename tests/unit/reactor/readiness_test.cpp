// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/reactor/readiness.hpp"

#include <atomic>
#include <cstdint>
#include <thread>

#include "support/catch.hpp"

namespace {

using weft::detail::io_prepare;
using weft::detail::io_waiter;
using weft::detail::real_environment;
using word_type = weft::detail::readiness_word<real_environment>;

}  // namespace

TEST_CASE("an event before the wait is not lost", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::ready);
    CHECK(word.prepare(&waiter) == io_prepare::waiting);
}

TEST_CASE("two events before the wait count as one", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::ready);
    CHECK(word.prepare(&waiter) == io_prepare::waiting);
}

TEST_CASE("an event hands the waiter out once and is consumed by it", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    CHECK(word.mark_ready(false) == &waiter);
    CHECK_FALSE(word.cancel(&waiter));
    CHECK(word.prepare(&waiter) == io_prepare::waiting);
}

TEST_CASE("a cancelled waiter gives its event back", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    REQUIRE(word.mark_ready(false) == &waiter);
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::ready);
}

TEST_CASE("cancel takes the waiter back before the event", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    CHECK(word.cancel(&waiter));
    CHECK_FALSE(word.cancel(&waiter));
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::ready);
}

TEST_CASE("cancel leaves another waiter alone", "[reactor][readiness]") {
    word_type word;
    io_waiter first;
    io_waiter second;
    REQUIRE(word.prepare(&first) == io_prepare::waiting);
    CHECK_FALSE(word.cancel(&second));
    CHECK(word.mark_ready(false) == &first);
}

TEST_CASE("a second waiter in the same direction is refused", "[reactor][readiness]") {
    word_type word;
    io_waiter first;
    io_waiter second;
    REQUIRE(word.prepare(&first) == io_prepare::waiting);
    CHECK(word.prepare(&second) == io_prepare::busy);
    CHECK(word.mark_ready(false) == &first);
}

TEST_CASE("a hang-up is remembered until the word is reopened", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    CHECK_FALSE(word.has_hang_up());
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    CHECK(word.mark_ready(true) == &waiter);
    CHECK(word.has_hang_up());
    CHECK(word.mark_ready(false) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::ready);
    CHECK(word.has_hang_up());
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    CHECK(word.cancel(&waiter));
    CHECK(word.has_hang_up());
    word.reopen();
    CHECK_FALSE(word.has_hang_up());
}

TEST_CASE("close hands out the waiter and is final", "[reactor][readiness]") {
    word_type word;
    io_waiter waiter;
    REQUIRE(word.prepare(&waiter) == io_prepare::waiting);
    CHECK(word.close() == &waiter);
    CHECK(word.is_closed());
    CHECK(word.mark_ready(true) == nullptr);
    CHECK(word.prepare(&waiter) == io_prepare::closed);
    CHECK_FALSE(word.cancel(&waiter));
    word.reopen();
    CHECK(word.prepare(&waiter) == io_prepare::waiting);
}

TEST_CASE("every event meets exactly one of wait, wake and cancel", "[reactor][readiness]") {
    // The poller makes `rounds` events, one after another was observed; the operation must see
    // each: a lost one ends in a deadlock, a doubled one in a count that is too high.
    constexpr int rounds = 20000;
    struct counting_waiter : io_waiter {
        std::atomic<int> wakes{0};
    };
    word_type word;
    counting_waiter waiter;
    waiter.wake = [](io_waiter* self) noexcept {
        static_cast<counting_waiter*>(self)->wakes.fetch_add(1);
    };
    std::atomic<int> made{0};
    std::atomic<int> seen{0};
    std::thread poller([&] {
        for (int i = 0; i < rounds; ++i) {
            while (seen.load() != i) std::this_thread::yield();
            made.store(i + 1);
            if (io_waiter* handed_out = word.mark_ready(false)) handed_out->wake(handed_out);
        }
    });
    int woken = 0;
    for (int i = 0; i < rounds; ++i) {
        // One event is due. Wait for it; every third round cancels at once and waits again.
        bool observed = false;
        for (int attempt = 0; !observed; ++attempt) {
            const io_prepare result = word.prepare(&waiter);
            if (result == io_prepare::ready) {
                observed = true;
            } else if (i % 3 == 0 && attempt == 0 && word.cancel(&waiter)) {
                continue;
            } else {
                while (waiter.wakes.load() == woken) std::this_thread::yield();
                ++woken;
                observed = true;
            }
        }
        REQUIRE(made.load() == i + 1);
        seen.store(i + 1);
    }
    poller.join();
    CHECK(waiter.wakes.load() == woken);
    CHECK(word.prepare(&waiter) == io_prepare::waiting);
}
