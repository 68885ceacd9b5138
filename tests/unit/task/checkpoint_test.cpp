// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/checkpoint.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> passes_many(event_log& log) {
    task<> other = create_task(logs(log, "other"));
    for (int i = 0; i < 1000; ++i) co_await checkpoint();
    log.add("passed");
    co_await other;
}

coro<> cancels_itself(event_log& log) {
    current_task().cancel("own wish");
    try {
        co_await checkpoint();
        log.add("passed");
    } catch (const cancelled& c) {
        log.add("cancelled " + std::string{c.reason()});
    }
    co_await checkpoint();  // one request, one delivery
    log.add("goes on");
}

coro<> uncancels(event_log& log) {
    current_task().cancel();
    current_task().uncancel();
    co_await checkpoint();
    log.add("passed");
}

coro<long> computes(std::atomic<bool>& begun) {
    long rounds = 0;
    for (;;) {
        begun = true;
        ++rounds;
        co_await checkpoint();
    }
    co_return rounds;
}

coro<> stops_from_another_worker() {
    std::atomic<bool> begun{false};
    task<long> t = create_task(computes(begun));
    while (!begun) co_await yield();
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
}

/// One that is awaited directly: the request is made to the task that awaits.
coro<> asks_the_one_that_awaits(any_task awaiting, event_log& log) {
    awaiting.cancel("for its child");
    try {
        co_await checkpoint();
        log.add("passed");
    } catch (const cancelled& c) {
        log.add("child cancelled " + std::string{c.reason()});
        throw;
    }
}

coro<> awaits_directly(event_log& log) {
    co_await create_task(asks_the_one_that_awaits(current_task(), log));
}

coro<> awaited_directly(event_log& log) {
    task<> t = create_task(awaits_directly(log));
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.lines() == lines{"child cancelled for its child"});
}

coro<> child_that_is_stopped(event_log& log, bool asks) {
    if (asks) current_task().cancel("for all");
    try {
        co_await checkpoint();
        log.add("passed");
    } catch (const cancelled& c) {
        log.add("stopped " + std::string{c.reason()});
        throw;
    }
}

coro<> children_in_place(event_log& log) {
    co_await when_all(child_that_is_stopped(log, true), child_that_is_stopped(log, false));
}

coro<> in_children(event_log& log) {
    task<> t = create_task(children_in_place(log));
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.count("stopped for all") >= 1);
}

}  // namespace

TEST_CASE("a checkpoint lets nobody else run") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(passes_many(log), {.workers = workers});
        CHECK(log.lines() == lines{"passed", "other"});
    });
}

TEST_CASE("a checkpoint delivers a request, once") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(cancels_itself(log), {.workers = workers});
        CHECK(log.lines() == lines{"cancelled own wish", "goes on"});
        event_log withdrawn;
        run(uncancels(withdrawn), {.workers = workers});
        CHECK(withdrawn.lines() == lines{"passed"});
    });
}

TEST_CASE("a loop that computes is stopped at its checkpoint") {
    on_workers({2, 4},
               [](unsigned workers) { run(stops_from_another_worker(), {.workers = workers}); });
}

TEST_CASE("a checkpoint sees what was asked of the task that awaits its own") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(awaited_directly(log), {.workers = workers});
    });
}

TEST_CASE("a checkpoint in a child of a when_all sees what was asked of the task") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(in_children(log), {.workers = workers});
    });
}
