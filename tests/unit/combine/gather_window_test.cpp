// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The windowed gather, and the handle of a gather.
#include "weft/combine/gather_window.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/gather.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> gathers_two_at_a_time(gate& g) {
    std::vector<coro<>> children;
    for (int i = 0; i < 5; ++i) children.push_back(pass(g));
    co_await gather({.limit = 2}, std::move(children));
}

coro<> settles_two_at_a_time(gate& g) {
    std::vector<coro<>> children;
    for (int i = 0; i < 3; ++i) children.push_back(pass(g));
    const auto outcomes = co_await gather_settled({.limit = 2}, std::move(children));
    for (const settled<void>& each : outcomes) {
        if (!each.has_value()) std::rethrow_exception(each.error());
    }
}

struct census {
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    std::atomic<int> begun{0};
    std::atomic<int> destroyed{0};
    gate after_the_failure;  // what comes after the failing child waits for it
};

/// Counts the bodies that go, begun or not.
struct counted {
    explicit counted(census& c) : where(&c) {}
    counted(counted&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
    counted& operator=(counted&&) = delete;
    ~counted() {
        if (where != nullptr) ++where->destroyed;
    }
    census* where;
};

coro<int> child(counted of, int number, int fails_at) {
    census& c = *of.where;
    ++c.begun;
    const int running = ++c.running;
    int most = c.most;
    while (most < running && !c.most.compare_exchange_weak(most, running)) {
    }
    const scope_exit leaving{[&c] { --c.running; }};
    for (int i = 0; i < 3; ++i) co_await yield();
    if (number == fails_at) throw std::runtime_error("child");
    if (fails_at >= 0 && number > fails_at) co_await c.after_the_failure;
    co_return number;
}

std::vector<coro<int>> children(census& c, int count, int fails_at) {
    std::vector<coro<int>> bodies;
    for (int i = 0; i < count; ++i) bodies.push_back(child(counted{c}, i, fails_at));
    return bodies;
}

coro<> keeps_to_the_limit(census& c) {
    const std::vector<int> values = co_await gather({.limit = 3}, children(c, 20, -1));
    CHECK(values.size() == 20);
    CHECK(std::ranges::is_sorted(values));
    CHECK(c.most <= 3);
    CHECK(c.begun == 20);
    const std::vector<int> few = co_await gather({.limit = 100}, children(c, 2, -1));
    CHECK(few == std::vector<int>{0, 1});
    const std::vector<int> none = co_await gather({.limit = 1}, children(c, 0, -1));
    CHECK(none.empty());
}

coro<> fails_in_the_middle(census& c) {
    std::string what;
    try {
        co_await gather({.limit = 2}, children(c, 20, 3));
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "child");
    c.after_the_failure.open();
    while (all_tasks().size() > 1) co_await yield();
    CHECK(c.begun <= 5);  // what ran beside the one that failed went on
    CHECK(c.destroyed == 20);
}

coro<> settles_failures(census& c) {
    c.after_the_failure.open();
    const auto outcomes = co_await gather_settled({.limit = 2}, children(c, 6, 3));
    REQUIRE(outcomes.size() == 6);
    for (int i = 0; i < 6; ++i) {
        const settled<int>& each = outcomes[static_cast<std::size_t>(i)];
        if (i == 3)
            CHECK(text_of(each.error()) == "child");
        else
            CHECK(each.value() == i);
    }
    CHECK(c.begun == 6);
}

coro<int> declines(gate& started, int& begun) {
    ++begun;
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_return 1;
}

coro<> gathers_one_at_a_time(gate& started, int& begun, bool settles) {
    std::vector<coro<int>> bodies;
    for (int i = 0; i < 4; ++i) bodies.push_back(declines(started, begun));
    if (settles)
        co_await gather_settled({.limit = 1}, std::move(bodies));
    else
        co_await gather({.limit = 1}, std::move(bodies));
}

coro<> cancel_starts_no_more(bool settles) {
    gate started;
    int begun = 0;
    task<> t = create_task(gathers_one_at_a_time(started, begun, settles));
    co_await started;
    CHECK(t.cancel("enough"));
    co_await ended(t);
    CHECK(t.cancelled());
    while (all_tasks().size() > 1) co_await yield();
    CHECK(begun == 1);
}

coro<int> cancels_itself() {
    current_task().cancel();
    co_await yield();
    co_return 0;
}

/// A child is a task of its own: what it does to itself is not the next one's.
coro<> children_are_tasks_of_their_own() {
    std::vector<coro<int>> bodies;
    for (int i = 0; i < 3; ++i) bodies.push_back(cancels_itself());
    const auto outcomes = co_await gather_settled({.limit = 1}, std::move(bodies));
    for (const settled<int>& each : outcomes) CHECK(is_cancellation(each.error()));
    CHECK(outcomes.size() == 3);
}

template <class Gather>
coro<> awaits(Gather gathered, std::string& reason) {
    try {
        co_await gathered;
    } catch (const cancelled& c) {
        reason = c.reason();
        throw;
    }
}

coro<> cancels_by_handle(bool settles) {
    gate s1, s2;
    int b1 = 0;
    int b2 = 0;
    std::string reason;
    const task<int> first = create_task(declines(s1, b1));
    const task<int> second = create_task(declines(s2, b2));
    auto plain = gather(first, second);
    auto settling = gather_settled(first, second);
    const gather_handle handle = settles ? settling.handle() : plain.handle();
    task<> parent = settles ? create_task(awaits(std::move(settling), reason))
                            : create_task(awaits(std::move(plain), reason));
    co_await s1;
    co_await s2;
    CHECK(handle.cancel("from outside"));
    co_await ended(parent);
    CHECK(parent.cancelled());
    CHECK(parent.cancelling() == 0);
    CHECK(reason == "from outside");
    CHECK(outcome_of(first) == "value");
    CHECK(handle.done());
    CHECK(is_cancellation(handle.exception()));
    CHECK_FALSE(handle.cancel());
}

coro<int> fails() {
    throw std::runtime_error("early");
    co_return 0;
}

/// A gather that is over is not cancelled any more, nor are the children that it left.
coro<> is_done_with_its_first_failure() {
    gate started;
    int begun = 0;
    const task<int> slow = create_task(declines(started, begun));
    auto both = gather(slow, fails());
    const gather_handle handle = both.handle();
    std::string what;
    try {
        co_await both;
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "early");
    CHECK(handle.done());
    CHECK(text_of(handle.exception()) == "early");
    CHECK_FALSE(handle.cancel());
    CHECK(slow.cancelling() == 0);
    co_await started;
    slow.cancel();
    co_await ended(slow);
}

coro<> limit_of_zero() {
    std::vector<coro<>> none;
    co_await gather({.limit = 0}, std::move(none));
}

}  // namespace

TEST_CASE("a windowed gather passes the checklist of waiting") {
    waiting_function how = GENERATE(&settles_two_at_a_time, &gathers_two_at_a_time);
    check_waiting(how);
}

TEST_CASE("a windowed gather runs so many at a time and gives values in argument order") {
    on_workers(multi, [](unsigned workers) {
        census c;
        run(keeps_to_the_limit(c), {.workers = workers});
    });
}

TEST_CASE("after a failure a windowed gather begins nothing more") {
    on_workers(multi, [](unsigned workers) {
        census c;
        run(fails_in_the_middle(c), {.workers = workers});
    });
}

TEST_CASE("a settling windowed gather goes on after a failure") {
    on_workers(multi, [](unsigned workers) {
        census c;
        run(settles_failures(c), {.workers = workers});
    });
}

TEST_CASE("a cancelled windowed gather begins nothing more and ends cancelled") {
    const bool settles = GENERATE(false, true);
    on_workers(multi, [settles](unsigned workers) {
        run(cancel_starts_no_more(settles), {.workers = workers});
    });
}

TEST_CASE("the children of a windowed gather are tasks of their own") {
    on_workers(multi, [](unsigned workers) {
        run(children_are_tasks_of_their_own(), {.workers = workers});
    });
}

TEST_CASE("a gather with a limit of 0 is refused") {
    CHECK_THROWS_AS(run(limit_of_zero(), {.workers = 1}), std::invalid_argument);
}

TEST_CASE("a gather cancelled by its handle ends cancelled even if every child declines") {
    const bool settles = GENERATE(false, true);
    on_workers(multi, [settles](unsigned workers) {
        run(cancels_by_handle(settles), {.workers = workers});
    });
}

TEST_CASE("a gather that is over is not cancelled by its handle") {
    on_workers(multi, [](unsigned workers) {
        run(is_done_with_its_first_failure(), {.workers = workers});
    });
}
