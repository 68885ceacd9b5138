// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Strands at the edges: cancellation, circles, the end of handles and of runtimes, other threads.
#include <algorithm>
#include <optional>
#include <thread>

#include "strand_kit.hpp"
#include "support/catch.hpp"
#include "weft/sync/strand.hpp"

using namespace weft;
using namespace weft::test;

TEST_CASE("cancelled in the queue, a run leaves it at once and its body never starts") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        auto waits = [&log](strand s, gate* g) -> coro<> {
            co_await s.run(log_around(&log, g, "never"));
        };
        auto body = [&]() -> coro<> {
            const strand s;
            gate g;
            auto holder = s.create_task(log_around(&log, &g, "holder"));
            while (g.waiting() == 0) co_await yield();
            auto waiting = create_task(waits(s, &g));
            auto queued = s.create_task(log_around(&log, &g, "nor this"));
            s.post([&] { log.add("posted"); });
            co_await settle();
            CHECK(waiting.cancel("not now"));
            CHECK(queued.cancel("nor this"));
            co_await ended(waiting);  // while the strand is held
            co_await ended(queued);
            CHECK(waiting.cancelled());
            CHECK(queued.cancelled());
            CHECK_FALSE(holder.done());
            g.open();
            co_await holder;
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        CHECK(log.lines() == lines{"holder begins", "holder ends", "posted"});
    });
}

TEST_CASE("cancelled while it runs, a run returns when its body has stopped") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        auto cleans_up = [&log](gate* g, gate* cleaned) -> coro<> {
            std::optional<cancelled> why;
            try {
                co_await *g;
            } catch (const cancelled& c) {
                why = c;
            }
            log.add("asked");
            co_await *cleaned;
            log.add("stopped");
            if (why) throw *why;
        };
        auto waits = [&](strand s, gate* g, gate* cleaned) -> coro<> {
            co_await s.run(cleans_up(g, cleaned));
        };
        auto body = [&]() -> coro<> {
            const strand s;
            gate g;
            gate cleaned;
            auto running = create_task(waits(s, &g, &cleaned));
            while (g.waiting() == 0) co_await yield();
            running.cancel();
            s.post([&] { log.add("next"); });
            while (cleaned.waiting() == 0) co_await yield();
            CHECK_FALSE(running.done());
            cleaned.open();
            co_await ended(running);
            CHECK(running.cancelled());
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        CHECK(log.lines() == lines{"asked", "stopped", "next"});
    });
}

TEST_CASE("a strand given to a task that was cancelled meanwhile goes on to the next") {
    // One worker: the grant has happened and the task has not gone on when it is cancelled.
    on_workers(single, [](unsigned) {
        event_log log;
        auto waits = [&log](strand s, gate* g) -> coro<> {
            co_await s.run(log_around(&log, g, "never"));
        };
        auto body = [&](bool as_task) -> coro<> {
            const strand s;
            gate g;
            auto holder = s.create_task(log_around(&log, &g, "holder"));
            task<> waiting =
                as_task ? s.create_task(log_around(&log, &g, "never")) : create_task(waits(s, &g));
            s.post([&] { log.add("posted"); });
            co_await settle();
            g.open();
            while (!holder.done()) co_await yield();
            waiting.cancel();
            co_await ended(waiting);
            CHECK(waiting.cancelled());
            co_await drained(s);
        };
        for (bool as_task : {true, false}) run(body(as_task), {.workers = 1});
        CHECK(std::ranges::count(log.lines(), "posted") == 2);
    });
}

TEST_CASE("a coroutine that has the strand and asks for it again is told so") {
    on_workers(multi, [](unsigned workers) {
        auto again = [](strand s) -> coro<bool> {
            try {
                co_await s.run([] {});
            } catch (const usage_error&) {
                co_return true;
            }
            co_return false;
        };
        auto in_children = [&again](strand s) -> coro<bool> {
            const auto [left, right] = co_await when_all(again(s), again(s));
            co_return left&& right;
        };
        auto in_timeout = [&again](strand s) -> coro<bool> {
            co_return co_await with_timeout(far, again(s));
        };
        auto body = [&]() -> coro<> {
            const strand s;
            const bool in_place = co_await s.run(again(s));
            CHECK(in_place);
            const bool in_join = co_await s.run(in_children(s));
            CHECK(in_join);
            const bool in_limit = co_await s.run(in_timeout(s));
            CHECK(in_limit);
            auto as_task = s.create_task(again(s));
            const bool in_task = co_await as_task;
            CHECK(in_task);
            const bool outside = co_await again(s);
            CHECK_FALSE(outside);
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("children of one when_all take turns on a strand") {
    on_workers(multi, [](unsigned workers) {
        int inside = 0;
        auto visit = [&inside](strand s) -> coro<> {
            auto stays = [&inside]() -> coro<> {
                const int visitors = ++inside;
                CHECK(visitors == 1);
                co_await yield();
                --inside;
            };
            co_await s.run(stays());
        };
        auto body = [&]() -> coro<> {
            const strand s;
            for (int i = 0; i < 50; ++i) co_await when_all(visit(s), visit(s), visit(s));
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("what was queued runs after the last handle is gone") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        auto body = [&]() -> coro<> {
            gate g;
            gate end;
            {
                const strand s;
                s.create_task(log_around(&log, &g, "task"));
                s.post([&] { log.add("posted"); });
                s.post([&] { end.open(); });
            }
            co_await settle();
            g.open();
            co_await end;
        };
        run(body(), {.workers = workers});
        CHECK(log.lines() == lines{"task begins", "task ends", "posted"});
    });
}

TEST_CASE("the end of a runtime waits for what was posted and cancels the tasks") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        gate g;  // never opened
        std::optional<strand> outlives;
        auto body = [&]() -> coro<> {
            outlives.emplace();
            outlives->create_task(log_around(&log, &g, "running"));
            outlives->create_task(log_around(&log, &g, "queued"));
            for (int i = 0; i < 100; ++i) outlives->post([&log] { log.add("posted"); });
            while (g.waiting() == 0) co_await yield();
        };
        run(body(), {.workers = workers});
        CHECK(log.count("running begins") == 1);
        CHECK(log.count("queued begins") == 0);
        CHECK(log.count("posted") == 100);
        CHECK_THROWS_AS(outlives->post([] {}), runtime_closed);
        CHECK_THROWS_AS(outlives->create_task(drained(*outlives)), runtime_closed);
    });
}

TEST_CASE("foreign threads and tasks of other runtimes may use a strand of a runtime") {
    on_workers(multi, [](unsigned workers) {
        runtime home{{.workers = workers}};
        std::uint64_t sum = 0;
        const strand s{home};
        {
            std::vector<std::jthread> posters;
            for (int i = 0; i < 3; ++i) {
                posters.emplace_back([&] {
                    for (int k = 0; k < 500; ++k) s.post([&sum] { ++sum; });
                });
            }
        }
        auto count = [&sum]() -> coro<std::uint64_t> { co_return ++sum; };
        auto counted = s.create_task(count());
        auto wait_for = [](task<std::uint64_t> t) -> coro<std::uint64_t> { co_return co_await t; };
        CHECK(home.block_on(wait_for(counted)) == 1501);
        auto elsewhere = [&]() -> coro<std::uint64_t> {
            for (int k = 0; k < 100; ++k) {
                s.post([&sum] { ++sum; });
                co_await s.run([&sum] { ++sum; });
            }
            co_return co_await s.run([&sum] { return sum; });
        };
        CHECK(run(elsewhere(), {.workers = workers}) == 1701);
    });
}

TEST_CASE("a strand outside of a task has to be given its runtime") {
    CHECK_THROWS_AS(strand(), usage_error);
}

TEST_CASE("tasks and runs that nobody waits for any more leave nothing behind") {
    on_workers(multi, [](unsigned workers) {
        auto body = []() -> coro<> {
            const strand s;
            {
                auto never_awaited = s.run(value_of(1));
                auto nor_this = s.run([] { return 1; });
                never_awaited.close();
                nor_this.close();
            }
            s.create_task(value_of(1));
            co_return;
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("a run waits as every primitive does") {
    check_waiting([](gate& g) -> coro<> {
        const strand s;
        auto passes = [](gate* inner) -> coro<> { co_await *inner; };
        co_await s.run(passes(&g));
    });
}
