// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/when_all.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> waits_with_two_children(gate& g) { co_await when_all(pass(g), pass(g)); }

coro<> waits_with_a_range(gate& g) {
    std::vector<coro<>> children;
    for (int i = 0; i < 3; ++i) children.push_back(pass(g));
    co_await when_all(std::move(children));
}

coro<> waits_two_deep(gate& g) {
    co_await when_all(waits_with_two_children(g), waits_with_two_children(g));
}

template <class T>
coro<T> gives(T value, bool suspends) {
    if (suspends) co_await yield();
    co_return value;
}

coro<> nothing() { co_return; }

coro<> gives_values_in_order() {
    for (bool suspends : {false, true}) {
        auto [a, b, c] =
            co_await when_all(gives(1, suspends), gives(std::string{"two"}, suspends), nothing());
        CHECK(a == 1);
        CHECK(b == "two");
        static_assert(std::is_same_v<decltype(c), std::monostate>);
        auto [p] = co_await when_all(gives(std::make_unique<int>(5), suspends));
        CHECK(*p == 5);
        std::vector<coro<int>> range;
        for (int i = 0; i < 40; ++i) range.push_back(gives(i, suspends));
        std::vector<int> values = co_await when_all(std::move(range));
        REQUIRE(values.size() == 40);
        for (int i = 0; i < 40; ++i) CHECK(values[static_cast<std::size_t>(i)] == i);
    }
    std::vector<coro<int>, pool_allocator<coro<int>>> pooled;
    for (int i = 0; i < 40; ++i) pooled.push_back(gives(i, i % 2 == 0));
    std::vector<int, pool_allocator<int>> also_pooled = co_await when_all(std::move(pooled));
    REQUIRE(also_pooled.size() == 40);
    CHECK(also_pooled[39] == 39);
    co_await when_all();
    std::vector<int> none = co_await when_all(std::vector<coro<int>>{});
    CHECK(none.empty());
}

coro<> fails(const char* text, gate* first) {
    if (first != nullptr) co_await *first;
    throw std::runtime_error(text);
}

coro<> waits_for_cancellation(event_log& log, gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        throw;
    }
}

coro<> first_failure_stops_the_siblings(event_log& log) {
    gate started;
    gate never;
    std::string what;
    try {
        co_await when_all(waits_for_cancellation(log, started), fails("first", &started),
                          pass(never));
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "first");
    CHECK(log.lines() == lines{"a sibling failed"});
    CHECK(never.waiting() == 0);
    CHECK(current_task().cancelling() == 0);
}

coro<> failure_before_any_sibling_began(event_log& log) {
    gate started;
    std::string what;
    try {
        co_await when_all(fails("at once", nullptr), waits_for_cancellation(log, started));
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "at once");
}

coro<> cleans_up_slowly(gate& started, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    try {
        co_await sleep(unit());
        log.add("clean");
    } catch (const cancelled&) {
        log.add("interrupted");
    }
    std::rethrow_exception(stop);
}

coro<> quick_and_slow_children(gate& s1, gate& s2, event_log& log) {
    co_await when_all(cleans_up_slowly(s1, log), waits_for_cancellation(log, s2));
}

coro<> cancels_once(event_log& log) {
    gate s1, s2;
    task<> t = create_task(quick_and_slow_children(s1, s2, log));
    co_await s1;
    co_await s2;
    t.cancel("stop");
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.count("clean") == 1);
}

coro<int> declines(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_return 1;
}

coro<> two_decliners(gate& s1, gate& s2) { co_await when_all(declines(s1), declines(s2)); }

coro<> cancelled_although_all_declined() {
    gate s1, s2;
    task<> t = create_task(two_decliners(s1, s2));
    co_await s1;
    co_await s2;
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
}

coro<int> fib(int n) {
    if (n < 2) co_return n;
    auto [a, b] = co_await when_all(fib(n - 1), fib(n - 2));
    co_return a + b;
}

coro<any_task> own_task() {
    co_await yield();
    co_return current_task();
}

coro<> children_belong_to_the_task() {
    std::size_t tasks = all_tasks().size();
    auto [a, b] = co_await when_all(own_task(), own_task());
    CHECK(a == current_task());
    CHECK(b == current_task());
    CHECK(all_tasks().size() == tasks);
}

coro<> child_cancels_its_task() {
    current_task().cancel("from inside");
    co_await sleep(far);
}

coro<> cancelled_from_inside() {
    gate never;
    co_await when_all(pass(never), child_cancels_its_task());
}

coro<> limited_child() {
    bool expired = false;
    try {
        co_await with_timeout(unit(), coro_sleep(far));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
}

coro<> limit_in_a_child() { co_await when_all(limited_child(), coro_sleep(2 * unit())); }

coro<> awaits(task<> t) { co_await t; }

coro<> children_await_tasks() {
    gate g;
    task<> t = create_task(pass(g));
    task<> u = create_task(pass(g));
    task<> parent = create_task(waits_two_deep(g));
    while (g.waiting() < 6) co_await yield();
    g.open();
    co_await when_all(awaits(t), awaits(u), awaits(parent));
}

/// The first child cancels the task; the others have not begun and never do.
coro<> counts_a_beginning(std::atomic<int>& begun) {
    ++begun;
    co_return;
}

coro<> cancels_its_task(std::atomic<int>& begun) {
    ++begun;
    current_task().cancel();
    co_return;
}

coro<> forks_many_and_is_cancelled(std::atomic<int>& begun, std::size_t count) {
    std::vector<coro<>> children;
    children.push_back(cancels_its_task(begun));
    for (std::size_t i = 1; i < count; ++i) children.push_back(counts_a_beginning(begun));
    co_await when_all(std::move(children));
}

coro<> cancels_its_task_because(const char* why) {
    current_task().cancel(why);
    co_return;
}

coro<> notes_that_it_began(bool& begun) {
    begun = true;
    co_return;
}

coro<> reason_of_children_that_never_began() {
    bool begun = false;
    std::string why;
    try {
        co_await when_all(cancels_its_task_because("from inside"), notes_that_it_began(begun),
                          notes_that_it_began(begun));
    } catch (const cancelled& c) {
        why = c.reason();
    }
    CHECK(why == "from inside");
    CHECK(!begun);
    current_task().uncancel();
}

coro<> asked_before_any_child_began() {
    bool begun = false;
    std::string why;
    current_task().cancel("too early");
    try {
        co_await when_all(notes_that_it_began(begun), notes_that_it_began(begun));
    } catch (const cancelled& c) {
        why = c.reason();
    }
    CHECK(why == "too early");
    CHECK(!begun);
    current_task().uncancel();
}

coro<> declines_in_an_inner_join(event_log& log) {
    try {
        co_await when_all(nothing(), cancels_its_task_because("stop"));
    } catch (const cancelled& c) {
        log.add("inner: " + std::string{c.reason()});
    }
}

/// The request comes while the inner join's last child runs in the task's place, and is for the
/// outer join's other children too.
coro<> asked_inside_of_an_inner_join(event_log& log) {
    bool begun = false;
    try {
        co_await when_all(declines_in_an_inner_join(log), notes_that_it_began(begun));
    } catch (const cancelled& c) {
        log.add("outer: " + std::string{c.reason()});
    }
    CHECK(!begun);
    current_task().uncancel();
}

coro<int> suspends_at_the_bottom(int depth) {
    if (depth == 0) {
        co_await yield();
        co_return 1;
    }
    auto [below, beside] =
        co_await when_all(suspends_at_the_bottom(depth - 1), gives(1, depth % 3 == 0));
    co_return below + beside;
}

coro<> fails_elsewhere(std::atomic<bool>& begun) {
    begun = true;
    throw std::runtime_error("elsewhere");
    co_return;
}

/// Keeps its worker until the sibling, which another one must have taken, is about to fail.
coro<> suspends_after_a_failure(std::atomic<bool>& sibling_begun, event_log& log) {
    while (!sibling_begun) std::this_thread::yield();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        stop = std::current_exception();
    }
    try {
        for (int i = 0; i < 20; ++i) co_await yield();
    } catch (const cancelled&) {
        log.add("interrupted");
    }
    std::rethrow_exception(stop);
}

/// It never suspends: what it awaits ends at once.
coro<> forks_until_told(std::atomic<bool>& sibling_begun, event_log& log) {
    while (!sibling_begun) std::this_thread::yield();
    try {
        for (;;) co_await when_all(nothing());
    } catch (const cancelled& c) {
        log.add(std::string{c.reason()});
        throw;
    }
}

coro<> failure_of_a_stolen_sibling(event_log& log,
                                   coro<> (*computes)(std::atomic<bool>&, event_log&)) {
    std::atomic<bool> begun{false};
    std::string what;
    try {
        co_await when_all(computes(begun, log), fails_elsewhere(begun));
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "elsewhere");
}

/// The limit is the child's own although the child runs in its parent's place until it suspends.
coro<int> limited_below(int depth) {
    if (depth == 0) co_return co_await with_timeout(far, gives(1, true));
    auto [a, b] = co_await when_all(limited_below(depth - 1), limited_below(depth - 1));
    co_return a + b;
}

coro<> cancelled_by_the_first_of_many(std::atomic<int>& begun, std::size_t count) {
    task<> t = create_task(forks_many_and_is_cancelled(begun, count));
    co_await ended(t);
    CHECK(t.cancelled());
}

}  // namespace

TEST_CASE("when_all passes the checklist of waiting") {
    waiting_function wait =
        GENERATE(&waits_with_two_children, &waits_with_a_range, &waits_two_deep);
    check_waiting(wait);
}

TEST_CASE("when_all gives the values in the order of its arguments") {
    on_workers(multi, [](unsigned workers) { run(gives_values_in_order(), {.workers = workers}); });
}

TEST_CASE("when_all cancels the siblings of the first failure and joins them") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(first_failure_stops_the_siblings(log), {.workers = workers});
        event_log other;
        run(failure_before_any_sibling_began(other), {.workers = workers});
        CHECK(other.lines().size() <= 1);
    });
}

TEST_CASE("a cancelled when_all asks each child once, so that clean-up is not interrupted") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancels_once(log), {.workers = workers});
        CHECK(log.count("interrupted") == 0);
    });
}

TEST_CASE("a cancelled when_all ends cancelled even if every child declined") {
    on_workers(multi, [](unsigned workers) {
        run(cancelled_although_all_declined(), {.workers = workers});
    });
}

TEST_CASE("when_all forks recursively") {
    on_workers(multi, [](unsigned workers) { CHECK(run(fib(20), {.workers = workers}) == 6765); });
}

TEST_CASE("the children of when_all run inside the current task") {
    on_workers(multi,
               [](unsigned workers) { run(children_belong_to_the_task(), {.workers = workers}); });
}

TEST_CASE("a child of when_all may cancel the task it runs in") {
    on_workers(multi, [](unsigned workers) {
        CHECK_THROWS_AS(run(cancelled_from_inside(), {.workers = workers}), cancelled);
    });
}

TEST_CASE("a limit in a child of when_all ends that child alone") {
    on_workers(multi, [](unsigned workers) { run(limit_in_a_child(), {.workers = workers}); });
}

TEST_CASE("children of when_all await tasks") {
    on_workers(multi, [](unsigned workers) { run(children_await_tasks(), {.workers = workers}); });
}

TEST_CASE("children that have not begun when their task is cancelled never begin") {
    std::atomic<int> begun{0};
    run(cancelled_by_the_first_of_many(begun, 100'000), {.workers = 1, .stack_size = 256u << 10});
    CHECK(begun == 1);
}

TEST_CASE("children that never began are cancelled for the reason that their task was") {
    run(reason_of_children_that_never_began(), {.workers = 1});
    run(asked_before_any_child_began(), {.workers = 1});
}

TEST_CASE("a child deep inside of others may suspend") {
    on_workers(multi, [](unsigned workers) {
        CHECK(run(suspends_at_the_bottom(20'000), {.workers = workers, .stack_size = 256u << 10}) ==
              20'001);
        CHECK(run(limited_below(8), {.workers = workers}) == 256);
    });
}

TEST_CASE("a request that comes inside of an inner when_all reaches the outer one's children") {
    event_log log;
    run(asked_inside_of_an_inner_join(log), {.workers = 1});
    CHECK(log.lines() == lines{"inner: stop", "outer: stop"});
}

TEST_CASE("a child that computed while a stolen sibling failed is told once, when it awaits") {
    auto computes = GENERATE(&suspends_after_a_failure, &forks_until_told);
    for (int i = 0; i < 50; ++i) {
        event_log log;
        run(failure_of_a_stolen_sibling(log, computes), {.workers = 2});
        CHECK(log.lines() == lines{"a sibling failed"});
    }
}
