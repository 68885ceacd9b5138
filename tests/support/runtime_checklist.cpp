// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "support/runtime_checklist.hpp"

#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"

namespace weft::test {

namespace {

using lines = std::vector<std::string>;

coro<> waits_and_logs(waiting_function wait, gate& g, event_log& log, std::string name) {
    try {
        co_await wait(g);
        log.add(name);
    } catch (const cancelled& c) {
        log.add(name + " cancelled " + std::string{c.reason()});
        throw;
    }
}

coro<> opens(gate& g) {
    g.open();
    co_return;
}

/// Opens the gate when the waiter is most likely in the middle of beginning to wait.
coro<> wait_races_with_wake(waiting_function wait, unsigned rounds) {
    for (unsigned i = 0; i < rounds; ++i) {
        gate g;
        task<> opener = create_task(opens(g));
        co_await wait(g);
        co_await opener;
    }
}

coro<> cancels_before_the_wait(waiting_function wait, gate& g, event_log& log) {
    current_task().cancel("before");
    co_await waits_and_logs(wait, g, log, "a");
}

/// Lets everything else run until nothing but timers could.
coro<> settle(gate& g, std::size_t at_least) {
    while (g.waiting() < at_least) co_await yield();
    for (int i = 0; i < 20; ++i) co_await yield();
}

coro<> cancels_while_waiting(waiting_function wait, gate& g, event_log& log) {
    task<> t = create_task(waits_and_logs(wait, g, log, "a"));
    co_await settle(g, 1);
    CHECK(t.cancel("while"));
    co_await ended(t);
    CHECK(t.cancelled());
    while (g.waiting() != 0) co_await yield();
}

coro<> cancels_after_the_wake(waiting_function wait, gate& g, event_log& log) {
    task<> t = create_task(waits_and_logs(wait, g, log, "a"));
    co_await settle(g, 1);
    g.open();
    bool accepted = t.cancel("after");
    co_await ended(t);
    CHECK(t.cancelled() == accepted);
    CHECK(t.cancel() == false);
}

coro<> three_waiters(waiting_function wait, event_log& log) {
    gate g;
    std::vector<task<>> waiters;
    for (const char* name : {"1", "2", "3"}) {
        waiters.push_back(create_task(waits_and_logs(wait, g, log, name)));
    }
    co_await settle(g, 3);
    g.open();
    for (task<>& t : waiters) co_await t;
}

coro<> leaves_waiters(waiting_function wait, gate& g, event_log& log) {
    create_task(waits_and_logs(wait, g, log, "left"));
    co_await settle(g, 1);
}

void check_ready_and_wake(waiting_function wait) {
    SECTION("ready: it completes at once") {
        on_workers(multi, [wait](unsigned workers) {
            gate g;
            g.open();
            run(wait(g), {.workers = workers});
        });
    }
    SECTION("wait, then a wake from another task") {
        on_workers(multi, [wait](unsigned workers) {
            event_log log;
            run(three_waiters(wait, log), {.workers = workers});
            lines found = log.lines();
            if (workers > 1) std::ranges::sort(found);
            CHECK(found == lines{"1", "2", "3"});
        });
    }
    SECTION("the wake races with the beginning of the wait") {
        on_workers(multi, [wait](unsigned workers) {
            run(wait_races_with_wake(wait, 500), {.workers = workers});
        });
    }
    SECTION("a wake from a foreign thread") {
        on_workers(multi, [wait](unsigned workers) {
            gate g;
            runtime r{{.workers = workers}};
            task<> t = r.spawn(wait(g));
            while (g.waiting() == 0) std::this_thread::yield();
            g.open();
            r.block_on(ended(t));
            CHECK(outcome_of(t) == "value");
        });
    }
}

/// The gate outlives the runtime: a cancelled gather ends with the first child that stops, while
/// another may only be about to wait.
void check_cancel_and_shutdown(waiting_function wait) {
    SECTION("cancelled before the wait") {
        on_workers(multi, [wait](unsigned workers) {
            event_log log;
            gate g;
            CHECK_THROWS_AS(run(cancels_before_the_wait(wait, g, log), {.workers = workers}),
                            cancelled);
            CHECK(log.lines() == lines{"a cancelled before"});
            CHECK(g.waiting() == 0);
        });
    }
    SECTION("cancelled while waiting") {
        on_workers(multi, [wait](unsigned workers) {
            event_log log;
            gate g;
            run(cancels_while_waiting(wait, g, log), {.workers = workers});
            CHECK(log.lines() == lines{"a cancelled while"});
        });
    }
    SECTION("cancelled after the wake") {
        on_workers(multi, [wait](unsigned workers) {
            event_log log;
            gate g;
            run(cancels_after_the_wake(wait, g, log), {.workers = workers});
            CHECK(log.lines().size() == 1);
        });
    }
    SECTION("the runtime closes while it waits") {
        on_workers(multi, [wait](unsigned workers) {
            event_log log;
            gate g;
            run(leaves_waiters(wait, g, log), {.workers = workers});
            CHECK(log.lines() == lines{"left cancelled the runtime is closing"});
            CHECK(g.waiting() == 0);
        });
    }
}

}  // namespace

coro<> pass(gate& g) { co_await g; }

coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

void check_waiting(waiting_function wait) {
    check_ready_and_wake(wait);
    check_cancel_and_shutdown(wait);
}

}  // namespace weft::test
