// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/wait_history.hpp"

#include "support/catch.hpp"

namespace {

using weft::detail::nanoseconds;
using weft::detail::time_point;
using weft::detail::wait_history;

constexpr nanoseconds limit{20'000};
constexpr nanoseconds gap{1'000'000};

/// A worker whose waits end after what the test says, one millisecond after the last one ended.
class waiter {
public:
    /// True: the worker looked around, and found the work that came after `length` if it was soon.
    bool wait(nanoseconds length, bool may_linger = true) {
        now_ += gap;
        const time_point until = history_.begin(now_, may_linger);
        const bool lingered = until != now_;
        if (lingered) CHECK(until == now_ + limit);
        now_ += length;
        if (lingered && length <= limit) {
            history_.end_awake();
        } else {
            history_.end_looking();
            history_.end_asleep(now_);
        }
        return lingered;
    }

    void lose_the_core(nanoseconds length) {
        history_.note_look(now_, now_ + length);
        now_ += length;
    }

private:
    wait_history history_{limit};
    time_point now_{};
};

int lingered_in(waiter& one, int waits, nanoseconds length) {
    int count = 0;
    for (int i = 0; i < waits; ++i) count += one.wait(length) ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("a worker sleeps at once until its waits have been short", "[park]") {
    waiter one;
    CHECK(lingered_in(one, 100, nanoseconds{100'000}) == 0);
    CHECK(lingered_in(one, 6, nanoseconds{5'000}) == 0);
    CHECK(lingered_in(one, 100, nanoseconds{5'000}) == 100);
}

TEST_CASE("a wait that was slept through counts the wake-up too", "[park]") {
    waiter one;
    CHECK(lingered_in(one, 100, nanoseconds{40'000}) == 0);
    // Six count as short; then it looks around in vain until the first of them is forgotten.
    CHECK(lingered_in(one, 17, nanoseconds{30'000}) == 11);
    CHECK_FALSE(one.wait(nanoseconds{30'000}));
}

TEST_CASE("looking around in vain ends it within sixteen waits", "[park]") {
    waiter one;
    lingered_in(one, 100, nanoseconds{5'000});
    CHECK(lingered_in(one, 100, nanoseconds{100'000}) == 11);
}

TEST_CASE("an idle worker that is not among the searchers only learns", "[park]") {
    waiter one;
    for (int i = 0; i < 100; ++i) CHECK_FALSE(one.wait(nanoseconds{5'000}, false));
    CHECK(one.wait(nanoseconds{5'000}));
}

TEST_CASE("a worker that lost its core stops looking around for a while", "[park]") {
    waiter one;
    lingered_in(one, 16, nanoseconds{5'000});
    one.lose_the_core(nanoseconds{50'000});
    CHECK(one.wait(nanoseconds{5'000}));
    one.lose_the_core(nanoseconds{200'000});
    CHECK(lingered_in(one, 9, nanoseconds{5'000}) == 0);  // ten milliseconds
    CHECK(lingered_in(one, 9, nanoseconds{5'000}) == 9);
}
