// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/batch_history.hpp"

#include <thread>

#include "support/catch.hpp"

using weft::detail::batch_history;
using weft::detail::time_point;
using namespace std::chrono_literals;

namespace {

/// One that has made `runs` runs of `length` each.
struct after : batch_history {
    after(std::uint64_t runs, std::chrono::nanoseconds length) {
        const time_point start{1h};
        begin_busy(start, 0);
        end_busy(start + static_cast<std::int64_t>(runs) * length, runs);
    }
};

void wait(std::chrono::nanoseconds length) {
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < length) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a batch is announced at once until its runs are known to be short") {
    batch_history fresh;
    CHECK_FALSE(fresh.put_off(2));
    CHECK_FALSE(after(10, 15us).put_off(2));
    CHECK(after(10, 5us).put_off(2));
    CHECK_FALSE(after(10, 5us).put_off(33));
}

TEST_CASE("what a worker waited for does not count as a run") {
    after seen(10, 5us);
    seen.begin_busy(time_point{2h}, 10);
    seen.end_busy(time_point{2h} + 5us, 11);
    CHECK(seen.put_off(2));
    seen.end_busy(time_point{3h}, 11);  // nothing was run: nothing is known
    CHECK(seen.put_off(2));
    seen.end_busy(time_point{3h}, 12);
    CHECK_FALSE(seen.put_off(2));
}

TEST_CASE("a call that was put off is due after a while, unless there is nothing to call for") {
    after seen(10, 5us);
    CHECK_FALSE(seen.owes_call());
    CHECK(seen.put_off(2));
    CHECK(seen.owes_call());
    CHECK_FALSE(seen.take_due(false));
    CHECK_FALSE(seen.owes_call());

    CHECK(seen.put_off(2));
    wait(60us);
    CHECK(seen.put_off(3));  // the first one counts
    CHECK(seen.take_due(true));
    CHECK_FALSE(seen.owes_call());
}

TEST_CASE("a long run ends the putting off") {
    after seen(10, 5us);
    seen.note_long_run();
    CHECK_FALSE(seen.put_off(2));

    after other(10, 5us);
    CHECK(other.put_off(2));
    wait(150us);  // a run that began before the call was due
    CHECK(other.take_due(true));
    CHECK_FALSE(other.put_off(2));
}
