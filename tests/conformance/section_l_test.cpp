// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section L: task groups.
#include "weft/combine/task_group.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/group_outcome.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> sleeps_at(gate& started, event_log& log, const char* name) {
    started.open();
    co_await sleeps(log, name);
}

// ---- 134

coro<> counts(std::atomic<int>& counter) {
    co_await sleep(unit() / 5);
    ++counter;
}

coro<> adds_more(task_group group, std::atomic<int>& counter, gate& leaving) {
    co_await leaving;
    co_await sleep(unit());
    group.create_task(counts(counter));
    group.create_task(counts(counter));
    ++counter;
}

coro<> adds_now_and_later(task_group& group, std::atomic<int>& counter, gate& leaving) {
    group.create_task(counts(counter));
    group.create_task(adds_more(group, counter, leaving));
    co_await yield();
    group.create_task(counts(counter));
    leaving.open();
}

coro<> adds_nothing(task_group& /*group*/) { co_return; }

coro<> grows_while_it_is_left() {
    std::atomic<int> counter{0};
    gate leaving;
    co_await task_group::run(adds_now_and_later, std::ref(counter), std::ref(leaving));
    CHECK(counter == 5);
    co_await task_group::run(adds_nothing);
    CHECK(current_task().cancelling() == 0);
}

// ---- 135

coro<> sleeps_beside_a_failure(task_group& group, event_log& log) {
    group.create_task(fails_after(unit(), "division by zero"));
    group.create_task(sleeps(log, "child"));
    co_await sleeps(log, "body");
    log.add("not reached");
}

coro<> child_fails(event_log& log) {
    stopwatch watch;
    std::string ended = co_await outcome(task_group::run(sleeps_beside_a_failure, std::ref(log)));
    CHECK(ended == "[division by zero]");
    CHECK(watch.elapsed() >= unit());
    CHECK(watch.elapsed() < soon);
    CHECK(log.count("child cancelled") == 1);
    CHECK(log.count("body cancelled") == 1);
    CHECK(log.lines().size() == 2);
}

// ---- 137

coro<> fails_beside_children(task_group& group, event_log& log, gate& a, gate& b) {
    group.create_task(sleeps_at(a, log, "a"));
    group.create_task(sleeps_at(b, log, "b"));
    co_await a;
    co_await b;
    throw std::invalid_argument("body");
}

coro<> body_fails(event_log& log) {
    gate a, b;
    std::string ended = co_await outcome(
        task_group::run(fails_beside_children, std::ref(log), std::ref(a), std::ref(b)));
    CHECK(ended == "[body]");
    CHECK(log.count("a cancelled") == 1);
    CHECK(log.count("b cancelled") == 1);
}

// ---- 138

coro<> five_sleepers(task_group& group, event_log& log, gate& leaving) {
    for (int i = 0; i < 5; ++i) group.create_task(sleeps(log, "child"));
    leaving.open();
    co_return;
}

coro<> owner_is_cancelled(event_log& log) {
    gate leaving;
    task<> owner = create_task(task_group::run(five_sleepers, std::ref(log), std::ref(leaving)));
    co_await leaving;
    for (int i = 0; i < 20; ++i) co_await yield();
    CHECK(owner.cancel("stop"));
    std::string reason = "none";
    try {
        co_await owner;
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "stop");
    CHECK(owner.cancelled());
    CHECK(all_tasks().size() == 1);
    CHECK(log.count("child slept") == 0);  // those that had not begun say nothing
}

// ---- 140, 141

coro<> fails_in_clean_up(gate& started) {
    started.open();
    bool is_stopped = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        is_stopped = true;
    }
    co_await yield();
    if (is_stopped) throw std::domain_error("division by zero");
}

coro<> waits_for_a_bad_child(task_group& group, gate& started, bool leaves) {
    group.create_task(fails_in_clean_up(started));
    if (!leaves) co_await sleep(far);
}

coro<> error_beats_cancellation(bool leaves) {
    gate started;
    task<> owner = create_task(task_group::run(waits_for_a_bad_child, std::ref(started), leaves));
    co_await started;
    owner.cancel();
    co_await ended(owner);
    CHECK_FALSE(owner.cancelled());
    CHECK(errors_of(owner.exception()) == "[division by zero]");
}

coro<> handles_the_group(gate& started, bool leaves, std::string& seen) {
    std::string ended =
        co_await outcome(task_group::run(waits_for_a_bad_child, std::ref(started), leaves));
    seen = ended + " " + std::to_string(current_task().cancelling());
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen += " cancelled " + std::string{c.reason()};
        throw;
    }
}

coro<> cancellation_comes_back(bool leaves) {
    gate started;
    std::string seen;
    task<> owner = create_task(handles_the_group(started, leaves, seen));
    co_await started;
    owner.cancel("from outside");
    co_await ended(owner);
    CHECK(owner.cancelled());
    CHECK(seen == "[division by zero] 1 cancelled from outside");
}

// ---- 143

coro<> swallows_and_goes_on(task_group& group, bool swallows, event_log& log) {
    group.create_task(fails_after(unit() / 5, "child"));
    bool is_stopped = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        if (!swallows) throw;
        is_stopped = true;
    }
    if (is_stopped) co_await sleep(unit());
    log.add("went on");
}

coro<> leaves_no_trace(bool swallows) {
    event_log log;
    std::string ended =
        co_await outcome(task_group::run(swallows_and_goes_on, swallows, std::ref(log)));
    CHECK(ended == "[child]");
    CHECK(log.count("went on") == (swallows ? 1 : 0));
    CHECK(current_task().cancelling() == 0);
    stopwatch watch;
    co_await sleep(unit());
    CHECK(watch.elapsed() >= unit());
}

// ---- 144

coro<> logs_that_it_ran(event_log& log, std::shared_ptr<int> argument) {
    log.add("ran");
    static_cast<void>(argument);
    co_return;
}

/// Whether the group takes one more task; the coroutine is gone if not.
bool takes_one(const task_group& group, event_log& log) {
    auto argument = std::make_shared<int>(1);
    try {
        group.create_task(logs_that_it_ran(log, argument));
        return true;
    } catch (const usage_error&) {
        CHECK(argument.use_count() == 1);
        return false;
    }
}

coro<> keeps_the_handle(task_group& group, std::optional<task_group>& kept) {
    kept = group;
    co_return;
}

coro<> adds_after_a_failure(task_group& group, event_log& log) {
    group.create_task(fails_after(unit() / 5, "child"));
    bool is_stopped = false;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        is_stopped = true;
    }
    if (is_stopped) log.add(takes_one(group, log) ? "taken" : "refused");
}

coro<> misuse(event_log& log) {
    std::optional<task_group> kept;
    co_await task_group::run(keeps_the_handle, std::ref(kept));
    bool is_taken = takes_one(*kept, log);
    CHECK_FALSE(is_taken);
    kept->cancel();
    std::string ended = co_await outcome(task_group::run(adds_after_a_failure, std::ref(log)));
    CHECK(ended == "[child]");
    CHECK(log.lines() == lines{"refused"});
}

// ---- 146

coro<> inner_with_both(task_group& inner, task_group outer, gate& now, bool stays) {
    inner.create_task(fails_at(now, "inner"));
    outer.create_task(fails_at(now, "outer"));
    if (stays) co_await sleep(far);
}

coro<> opens(gate& g) {
    g.open();
    co_return;
}

coro<> handles_the_inner(task_group& outer, gate& now, bool stays, std::string& seen) {
    create_task(opens(now));
    std::string ended =
        co_await outcome(task_group::run(inner_with_both, outer, std::ref(now), stays));
    seen = ended + " " + std::to_string(current_task().cancelling());
}

coro<> both_fail_at_once(bool stays) {
    gate now;
    std::string seen;
    std::string ended =
        co_await outcome(task_group::run(handles_the_inner, std::ref(now), stays, std::ref(seen)));
    CHECK(seen == "[inner] 1");
    CHECK(ended == "[outer]");
    CHECK(current_task().cancelling() == 0);
    co_await sleep(unit());
}

// ---- 147

struct hydra {
    std::atomic<int> grown{0};
    std::atomic<int> refused{0};
    std::atomic<int> stray{0};
    gate ten;
};

coro<> head(task_group group, hydra& h) {
    if (++h.grown == 10) h.ten.open();
    if (h.grown > 1'000'000) co_return;
    bool is_stopped = false;
    try {
        co_await sleep(unit() / 5);
    } catch (const cancelled&) {
        is_stopped = true;
    }
    try {
        group.create_task(head(group, h));
        group.create_task(head(group, h));
    } catch (const usage_error&) {
        ++h.refused;
    }
    if (is_stopped) throw cancelled{};
}

coro<> begins_to_grow(task_group& group, hydra& h) {
    group.create_task(head(group, h));
    group.create_task(fails_at(h.ten, "thrower"));
    co_return;
}

coro<> stops_growing() {
    hydra h;
    std::string ended = co_await outcome(task_group::run(begins_to_grow, std::ref(h)));
    CHECK(ended == "[thrower]");
    CHECK(h.grown >= 10);
    CHECK(h.refused > 0);
    int grown = h.grown;
    co_await sleep(unit());
    CHECK(h.grown == grown);
    CHECK(all_tasks().size() == 1);
}

}  // namespace

TEST_CASE("C134 a task group grows while it is left") {
    on_workers(multi,
               [](unsigned workers) { run(grows_while_it_is_left(), {.workers = workers}); });
}

TEST_CASE("C135 a failing child stops its group") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(child_fails(log), {.workers = workers});
    });
}

TEST_CASE("C137 a failing body stops its group") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(body_fails(log), {.workers = workers});
    });
}

TEST_CASE("C138 a group whose owner is cancelled") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(owner_is_cancelled(log), {.workers = workers});
    });
}

TEST_CASE("C140 clean-up errors win over the owner's cancellation") {
    on_workers(multi, [](unsigned workers) {
        run(error_beats_cancellation(false), {.workers = workers});
        run(error_beats_cancellation(true), {.workers = workers});
    });
}

TEST_CASE("C141 the owner's cancellation comes back after a handled group") {
    on_workers(multi, [](unsigned workers) {
        run(cancellation_comes_back(false), {.workers = workers});
        run(cancellation_comes_back(true), {.workers = workers});
    });
}

TEST_CASE("C143 a handled group leaves no trace") {
    on_workers(multi, [](unsigned workers) {
        run(leaves_no_trace(false), {.workers = workers});
        run(leaves_no_trace(true), {.workers = workers});
    });
}

TEST_CASE("C144 misuse of a task group") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(misuse(log), {.workers = workers});
    });
}

TEST_CASE("C146 inner and outer group fail together") {
    on_workers(single, [](unsigned workers) {
        run(both_fail_at_once(false), {.workers = workers});
        run(both_fail_at_once(true), {.workers = workers});
    });
}

TEST_CASE("C147 a group that grows while it is stopped") {
    on_workers(multi, [](unsigned workers) { run(stops_growing(), {.workers = workers}); });
}
