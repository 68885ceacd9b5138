// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section E as far as tasks have it (done-callbacks), and section F: gather.
#include "weft/combine/gather.hpp"

#include <atomic>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

coro<int> value_when_open(gate& g, int value) {
    co_await g;
    co_return value;
}

/// Both run once the task's earlier callbacks have: callbacks are called in order.
coro<> removes_callbacks(event_log& log) {
    gate g;
    task<int> t = create_task(value_when_open(g, 1));
    std::vector<callback_token> first;
    for (int i = 0; i < 6; ++i) {
        first.push_back(t.add_done_callback([&log](any_task) { log.add("cb1"); }));
    }
    t.add_done_callback([&log](any_task) { log.add("cb2"); });
    int removed = 0;
    for (callback_token token : first) removed += t.remove_done_callback(token) ? 1 : 0;
    CHECK(removed == 6);
    CHECK_FALSE(t.remove_done_callback(first.front()));
    CHECK_FALSE(t.remove_done_callback(987654));
    gate called;
    t.add_done_callback([&called](any_task) { called.open(); });
    g.open();
    co_await called;
    CHECK(log.lines() == lines{"cb2"});
}

coro<> callback_throws(event_log& log) {
    gate g;
    gate called;
    task<int> t = create_task(value_when_open(g, 7), {.name = "source"});
    task<int> awaiter = create_task(value_when_open(called, 8));
    t.add_done_callback([&log](any_task done) {
        log.add("first " + std::string{done.done() ? "done" : "not done"});
        throw std::domain_error("division by zero");
    });
    t.add_done_callback([&log, &called](any_task) {
        log.add("second");
        called.open();
    });
    g.open();
    int value = co_await t;
    int later = co_await awaiter;
    CHECK(value == 7);
    CHECK(later == 8);
    CHECK(log.lines() == lines{"first done", "second"});
}

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> gathers_nothing(event_log& log) {
    task<> other = create_task(logs(log, "other"));
    co_await gather();
    co_await gather(std::vector<task<int>>{});
    std::vector<coro<int>> none;
    std::vector<int> values = co_await gather(std::move(none));
    auto settled_values = co_await gather_settled();
    CHECK(values.empty());
    CHECK(std::tuple_size_v<decltype(settled_values)> == 0);
    if (log.lines().empty()) log.add("did not suspend");
    co_await other;
}

template <class E>
coro<int> fails_after(std::chrono::nanoseconds delay, const char* text) {
    co_await sleep(delay);
    throw E(text);
}

coro<int> succeeds_after(std::chrono::nanoseconds delay, event_log& log) {
    co_await sleep(delay);
    log.add("ok");
    co_return 1;
}

coro<> first_failure_is_thrown_at_once() {
    event_log log;
    stopwatch watch;
    task<int> ok = create_task(succeeds_after(3 * unit(), log));
    task<int> bad = create_task(fails_after<std::invalid_argument>(unit(), "bad"));
    std::string what;
    try {
        co_await gather(bad, ok);
    } catch (const std::invalid_argument& e) {
        what = e.what();
    }
    CHECK(what == "bad");
    CHECK(watch.elapsed() >= unit());
    CHECK(log.lines().empty());
    CHECK_FALSE(ok.done());
    int value = co_await ok;
    CHECK(value == 1);
    CHECK(log.lines() == lines{"ok"});
}

coro<> second_failure_is_consumed() {
    std::string what;
    try {
        co_await gather(fails_after<std::invalid_argument>(unit(), "first"),
                        fails_after<std::domain_error>(2 * unit(), "second"));
    } catch (const std::exception& e) {
        what = e.what();
    }
    CHECK(what == "first");
    co_await sleep(3 * unit());
}

coro<> sleeps(gate& started) {
    started.open();
    co_await sleep(far);
}

template <class Gather>
coro<> awaits(Gather gathered, gate& begun) {
    begun.open();
    co_await gathered;
}

coro<> cancel_reaches_all_children() {
    gate started1, started2, begun;
    task<> c1 = create_task(sleeps(started1));
    task<> c2 = create_task(sleeps(started2));
    auto both = gather(c1, c2);
    const gather_handle handle = both.handle();
    task<> parent = create_task(awaits(std::move(both), begun));
    co_await started1;
    co_await started2;
    co_await begun;
    CHECK_FALSE(handle.done());
    CHECK_THROWS_AS(handle.exception(), invalid_state_error);
    CHECK(parent.cancel());
    co_await ended(parent);
    CHECK(parent.cancelled());
    co_await ended(c1);
    co_await ended(c2);
    // A parent that was cancelled before it reached its gather hands the request on from there.
    CHECK(c1.cancelled());
    CHECK(c2.cancelled());
    CHECK_FALSE(parent.cancel());
    CHECK(handle.done());
    CHECK_FALSE(handle.cancel());
}

coro<> one_child_is_cancelled() {
    event_log log;
    gate started;
    task<> a = create_task(sleeps(started));
    task<int> b = create_task(succeeds_after(2 * unit(), log));
    task<int> c = create_task(succeeds_after(2 * unit(), log));
    co_await started;
    bool thrown = false;
    a.cancel();
    auto all = gather(a, b, c);
    const gather_handle handle = all.handle();
    try {
        co_await all;
    } catch (const cancelled&) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(handle.done());
    CHECK(is_cancellation(handle.exception()));
    CHECK(current_task().cancelling() == 0);
    CHECK_FALSE(b.done());
    int first = co_await b;
    int second = co_await c;
    CHECK(first + second == 2);
}

coro<> settled_with_a_cancelled_child() {
    event_log log;
    gate started;
    task<> a = create_task(sleeps(started));
    task<int> b = create_task(succeeds_after(unit(), log));
    task<int> c = create_task(fails_after<std::domain_error>(unit(), "c"));
    co_await started;
    a.cancel();
    auto [ra, rb, rc] = co_await gather_settled(a, b, c);
    REQUIRE_FALSE(ra.has_value());
    CHECK(is_cancellation(ra.error()));
    REQUIRE(rb.has_value());
    CHECK(*rb == 1);
    REQUIRE_FALSE(rc.has_value());
    CHECK(text_of(rc.error()) == "c");
}

coro<int> declines(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
    }
    co_return 1;
}

coro<> gathers_decliners(gate& s1, gate& s2, bool& thrown, std::string& reason) {
    try {
        co_await gather(declines(s1), declines(s2));
    } catch (const cancelled& c) {
        thrown = true;
        reason = c.reason();
        throw;
    }
}

coro<> declining_does_not_save_the_parent() {
    gate s1, s2;
    bool thrown = false;
    std::string reason;
    task<> parent = create_task(gathers_decliners(s1, s2, thrown, reason));
    co_await s1;
    co_await s2;
    CHECK(parent.cancel("enough"));
    co_await ended(parent);
    CHECK(thrown);
    CHECK(reason == "enough");
    CHECK(parent.cancelled());
}

coro<std::string> counts_runs(std::atomic<int>& runs, const char* value) {
    ++runs;
    co_await yield();
    co_return value;
}

coro<> duplicates_and_nesting() {
    std::atomic<int> r_runs{0};
    std::atomic<int> s_runs{0};
    task<std::string> r = create_task(counts_runs(r_runs, "r"));
    task<std::string> s = create_task(counts_runs(s_runs, "s"));
    std::vector<task<std::string>> four{r, r, s, r};
    std::vector<std::string> values = co_await gather(std::move(four));
    CHECK(values == lines{"r", "r", "s", "r"});
    CHECK(r_runs == 1);
    CHECK(s_runs == 1);
    task<std::string> c = create_task(counts_runs(s_runs, "c"));
    auto pair = gather(r, s);
    auto [inner, last] = co_await gather(std::move(pair), c);
    CHECK(inner == std::tuple<std::string, std::string>{"r", "s"});
    CHECK(last == "c");
}

}  // namespace

TEST_CASE("C068 done-callbacks are removed by their tokens") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(removes_callbacks(log), {.workers = workers});
    });
}

TEST_CASE("C069 a done-callback that throws is reported, the others and the awaiters go on") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(callback_throws(log));
        }
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].what == failure::kind::in_callback);
        CHECK(reports.all()[0].message.find("division by zero") != std::string::npos);
    });
}

TEST_CASE("C074 gather of nothing is complete at once") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(gathers_nothing(log), {.workers = workers});
        if (workers == 1) CHECK(log.lines() == lines{"did not suspend", "other"});
    });
}

TEST_CASE("C075 gather throws the first failure at once and lets the others go on") {
    on_workers(multi, [](unsigned workers) {
        run(first_failure_is_thrown_at_once(), {.workers = workers});
    });
}

TEST_CASE("C077 later failures of a gather are consumed") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(second_failure_is_consumed());
        }
        CHECK(reports.all().empty());
    });
}

TEST_CASE("C078 cancelling a gather cancels every child") {
    on_workers(multi,
               [](unsigned workers) { run(cancel_reaches_all_children(), {.workers = workers}); });
}

TEST_CASE("C080 a child that is cancelled by itself fails the gather and spares its siblings") {
    on_workers(multi,
               [](unsigned workers) { run(one_child_is_cancelled(), {.workers = workers}); });
}

TEST_CASE("C081 gather_settled holds the cancellation of a child at its place") {
    on_workers(multi, [](unsigned workers) {
        run(settled_with_a_cancelled_child(), {.workers = workers});
    });
}

TEST_CASE("C083 a cancelled gather ends cancelled even if every child declined") {
    on_workers(multi, [](unsigned workers) {
        run(declining_does_not_save_the_parent(), {.workers = workers});
    });
}

TEST_CASE("C084 gather of one task several times, and gather inside gather") {
    on_workers(multi,
               [](unsigned workers) { run(duplicates_and_nesting(), {.workers = workers}); });
}
