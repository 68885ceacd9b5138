// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section A: entry point, runtime object, shutdown.
#include "weft/runtime.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<int> returns(int value) { co_return value; }

const task_local<int> left_behind{-1};

coro<int> leaves_behind(int value) {
    const int found = left_behind.get();
    left_behind.set(value);
    co_return found;
}

coro<> fails_with(const char* text) {
    co_await yield();
    throw std::invalid_argument(text);
}

coro<> notes(bool& ran) {
    ran = true;
    co_return;
}

coro<int> runs_inside(bool& ran, std::string& what) {
    try {
        run(notes(ran), {.workers = 1});
    } catch (const usage_error& e) {
        what = e.what();
    }
    co_return 7;
}

coro<> turns_cancellation_into_an_error(gate& started) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        throw std::domain_error("division by zero");
    }
}

coro<int> leaves_failing_task() {
    gate started;
    create_task(turns_cancellation_into_an_error(started), {.name = "L"});
    co_await started;
    co_return 123;
}

coro<> cleans_up_with_helpers(gate& started, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    co_await gather(create_task(coro_sleep(unit())), create_task(coro_sleep(2 * unit())));
    log.add("cleaned");
    std::rethrow_exception(stop);
}

coro<> leaves_cleaning_task(event_log& log, gate& started) {
    create_task(cleans_up_with_helpers(started, log));
    co_await started;
}

coro<> sets_after(std::chrono::nanoseconds delay, std::atomic<int>& flag) {
    co_await sleep(delay);
    flag = 1;
}

coro<> starts_detached(coro<> body) {
    create_task(std::move(body));
    co_await yield();
}

coro<> cancels(any_task target) {
    target.cancel("by a child");
    co_return;
}

coro<> is_cancelled_by_a_child() {
    create_task(cancels(current_task()));
    co_await sleep(far);
}

coro<> raises_interrupt() {
    ::kill(::getpid(), SIGINT);
    co_return;
}

coro<> waits_until_interrupted(event_log& log) {
    gate never;
    create_task(raises_interrupt());
    scope_exit leaving{[&log] { log.add("finally"); }};
    try {
        co_await never;
    } catch (const cancelled& c) {
        log.add("cancelled: " + std::string{c.reason()});
        throw;
    }
}

}  // namespace

TEST_CASE("C002 what main throws comes out of run, after clean-up") {
    on_workers(multi, [](unsigned workers) {
        CHECK_THROWS_WITH(run(fails_with("spam"), {.workers = workers}), "spam");
        CHECK_THROWS_AS(run(fails_with("spam"), {.workers = workers}), std::invalid_argument);
        CHECK(run(returns(3), {.workers = workers}) == 3);
    });
}

TEST_CASE("C003 run inside a task is an error at once and starts nothing") {
    on_workers(multi, [](unsigned workers) {
        bool ran = false;
        std::string what;
        CHECK(run(runs_inside(ran, what), {.workers = workers}) == 7);
        CHECK_FALSE(ran);
        CHECK(what.find("await") != std::string::npos);
    });
}

TEST_CASE("C005 an error during shutdown is reported and does not replace main's value") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            CHECK(r.block_on(leaves_failing_task()) == 123);
            r.close();
        }
        REQUIRE(reports.all().size() == 1);
        failure report = reports.all().front();
        CHECK(report.message.find("shutdown") != std::string::npos);
        CHECK(report.task_name == "L");
        CHECK(text_of(report.exception) == "division by zero");
        CHECK_THROWS_AS(std::rethrow_exception(report.exception), std::domain_error);
    });
}

TEST_CASE("C006 clean-up at shutdown may start helper tasks and wait for them") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        gate started;
        stopwatch watch;
        run(leaves_cleaning_task(log, started), {.workers = workers});
        CHECK(log.count("cleaned") == 1);
        CHECK(watch.elapsed() >= 2 * unit());
    });
}

TEST_CASE("C008 tasks live on between two blocking calls of one runtime") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> flag{0};
        runtime r{{.workers = workers}};
        r.block_on(starts_detached(sets_after(2 * unit(), flag)));
        r.block_on(coro_sleep(4 * unit()));
        CHECK(flag == 1);
    });
}

TEST_CASE("C009 a main task begins with the task-local values that the last one left") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        CHECK(r.block_on(leaves_behind(1)) == -1);
        CHECK(r.block_on(leaves_behind(2)) == 1);
        CHECK(r.block_on(leaves_behind(3)) == 2);
        CHECK(run(leaves_behind(4), {.workers = workers}) == -1);  // another runtime
    });
}

TEST_CASE("C011 run throws cancelled when main was cancelled") {
    on_workers(multi, [](unsigned workers) {
        std::string reason;
        try {
            run(is_cancelled_by_a_child(), {.workers = workers});
        } catch (const cancelled& c) {
            reason = c.reason();
        }
        CHECK(reason == "by a child");
    });
}

TEST_CASE("C012 SIGINT cancels main, and run throws that it was interrupted") {
    if (signals_are_deferred()) return;
    on_workers(multi, [](unsigned workers) {
        struct sigaction before{};
        sigaction(SIGINT, nullptr, &before);
        signal(SIGINT, SIG_DFL);
        event_log log;
        int number = 0;
        try {
            run(waits_until_interrupted(log), {.workers = workers});
        } catch (const interrupted& i) {
            number = i.signal_number();
        }
        struct sigaction after{};
        sigaction(SIGINT, &before, &after);
        CHECK(number == SIGINT);
        CHECK(log.lines() == std::vector<std::string>{"cancelled: SIGINT", "finally"});
        CHECK(after.sa_handler == SIG_DFL);
    });
}

TEST_CASE("C015 after close nothing can be started, from any thread, and nothing leaks") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        CHECK(r.block_on(returns(1)) == 1);
        r.close();
        r.close();
        bool ran = false;
        CHECK_THROWS_AS(r.spawn(notes(ran)), runtime_closed);
        CHECK_THROWS_AS(r.spawn(notes(ran), {.name = "late"}), runtime_closed);
        CHECK_THROWS_AS(r.block_on(notes(ran)), runtime_closed);
        const auto call = [&ran] { ran = true; };
        CHECK_THROWS_AS(r.call_soon(call), runtime_closed);
        CHECK_THROWS_AS(r.call_later(unit(), call), runtime_closed);
        CHECK_THROWS_AS(r.call_at(std::chrono::steady_clock::now(), call), runtime_closed);
        int refused = 0;
        const auto is_refused = [&refused](const auto& start) {
            try {
                start();
            } catch (const runtime_closed&) {
                ++refused;
            }
        };
        std::thread{[&] {
            is_refused([&] { static_cast<void>(r.spawn(notes(ran))); });
            is_refused([&] { r.call_soon(call); });
            is_refused([&] { r.call_later(unit(), call); });
            is_refused([&] { r.call_at(std::chrono::steady_clock::now(), call); });
        }}.join();
        CHECK(refused == 4);
        CHECK_FALSE(ran);
    });
}
