// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Callbacks and their runtime: from outside of it, at its end, and misuse.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;
using clock = std::chrono::steady_clock;

coro<> until(const std::atomic<int>& counter, int expected) {
    while (counter != expected) co_await yield();
}

/// Cleans up with the help of a callback that was scheduled long before, and of a new one.
coro<> is_called_back(gate& begun, event_log& log) {
    gate scheduled_before;
    call_later(2 * unit(), [&scheduled_before] { scheduled_before.open(); });
    begun.open();
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        log.add("cancelled");
    }
    co_await scheduled_before;
    gate scheduled_now;
    call_later(std::chrono::milliseconds{1}, [&scheduled_now] { scheduled_now.open(); });
    co_await scheduled_now;
    log.add("called back");
}

coro<> leaves_callbacks(event_log& log, std::shared_ptr<int> capture,
                        std::vector<timer_handle>& handles) {
    handles.push_back(call_soon([&log, capture] { log.add("ready"); }));
    handles.push_back(call_later(far, [&log, capture] { log.add("waits"); }));
    handles.push_back(call_later(std::chrono::nanoseconds::max(), [&log, capture] {
        log.add("waits");  // and for ever
    }));
    co_return;
}

struct endless {
    void tick() {
        ++ticks;
        call_soon(&endless::tick, this);
        call_later(std::chrono::nanoseconds{0}, [this] { ++ticks; });
    }
    std::atomic<int> ticks{0};
};

coro<> leaves_endless(endless& e) {
    for (int i = 0; i < 3; ++i) call_soon(&endless::tick, &e);
    co_await yield();
}

}  // namespace

TEST_CASE("callbacks come from foreign threads, in the order of each") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        event_log log;
        std::atomic<int> calls{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < 100; ++n) {
                    r.call_soon([&calls] { ++calls; });
                    r.call_later(
                        std::chrono::microseconds{n}, [&calls](int by) { calls += by; }, 1);
                    if (!r.call_at(clock::now() + far, [&calls] { calls = -1000; }).cancel())
                        --calls;
                }
            });
        }
        for (std::thread& each : threads) each.join();
        r.block_on(until(calls, 600));
        std::thread{[&] {
            for (const char* name : {"1", "2", "3"}) r.call_soon([&log, name] { log.add(name); });
        }}.join();
        while (log.lines().size() != 3) std::this_thread::yield();
        lines found = log.lines();
        if (workers > 1) std::ranges::sort(found);
        CHECK(found == lines{"1", "2", "3"});
    });
}

TEST_CASE("a task schedules callbacks in another runtime") {
    on_workers(multi, [](unsigned workers) {
        runtime other{{.workers = 1}};
        runtime r{{.workers = workers}};
        std::atomic<int> calls{0};
        auto schedules = [](runtime& there, std::atomic<int>& counter) -> coro<> {
            there.call_soon([&counter] { ++counter; });
            there.call_later(std::chrono::milliseconds{1}, [&counter] { ++counter; });
            timer_handle waits = there.call_later(far, [&counter] { counter = -1000; });
            co_await until(counter, 2);
            CHECK(waits.cancel());
        };
        r.block_on(schedules(other, calls));
        CHECK(calls == 2);
    });
}

TEST_CASE("callbacks go on while tasks clean up at the end of the runtime") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        gate begun;
        runtime r{{.workers = workers}};
        static_cast<void>(r.spawn(is_called_back(begun, log)));
        r.block_on(pass(begun));
        r.close();
        CHECK(log.lines() == lines{"cancelled", "called back"});
    });
}

TEST_CASE("the end of the runtime calls what is ready and drops what waits") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        auto capture = std::make_shared<int>(1);
        std::vector<timer_handle> handles;
        stopwatch watch;
        {
            runtime r{{.workers = workers}};
            r.block_on(leaves_callbacks(log, capture, handles));
            std::thread{[&] {  // its timer is armed by a worker, or never
                handles.push_back(r.call_later(far, [capture] {}));
            }}
                .join();
            r.close();
            CHECK(log.lines() == lines{"ready"});
            CHECK(capture.use_count() == 1);
            CHECK(r.statistics().timers_armed == 0);
            CHECK(r.statistics().live_tasks == 0);
        }
        CHECK(watch.elapsed() < soon);
        CHECK_FALSE(handles[0].cancelled());
        CHECK_FALSE(handles[0].cancel());  // the handles outlive the runtime
        for (std::size_t i = 1; i < handles.size(); ++i) {
            CHECK(handles[i].cancelled());
            CHECK(handles[i].cancel());
            CHECK(handles[i].when() > clock::now());
        }
    });
}

TEST_CASE("callbacks that schedule themselves for ever do not keep a runtime from its end") {
    on_workers(multi, [](unsigned workers) {
        endless e;
        stopwatch watch;
        run(leaves_endless(e), {.workers = workers});
        CHECK(watch.elapsed() < soon);
        CHECK(e.ticks >= 3);
    });
}

TEST_CASE("a closed runtime refuses callbacks, which are not called and keep nothing") {
    on_workers(multi, [](unsigned workers) {
        auto capture = std::make_shared<int>(1);
        runtime r{{.workers = workers}};
        r.close();
        const auto keeps = [&capture] { return [capture] { ++*capture; }; };
        CHECK_THROWS_AS(r.call_soon(keeps()), runtime_closed);
        CHECK_THROWS_AS(r.call_later(far, keeps()), runtime_closed);
        CHECK_THROWS_AS(r.call_at(clock::now(), keeps()), runtime_closed);
        CHECK(capture.use_count() == 1);
        CHECK(*capture == 1);
    });
}

TEST_CASE("callbacks are scheduled inside of tasks and callbacks only, or by the runtime") {
    leak_check clean;
    CHECK_THROWS_AS(call_soon([] {}), usage_error);
    CHECK_THROWS_AS(call_later(far, [] {}), usage_error);
    CHECK_THROWS_AS(call_at(clock::now(), [] {}), usage_error);
    timer_handle empty;
    CHECK_FALSE(static_cast<bool>(empty));
    CHECK(empty == timer_handle{});
}

TEST_CASE("an empty function, or an empty handle, is refused with a sentence") {
    const auto output_of = [](void (*misuse)(runtime&)) {
        const child_result result = in_child([misuse] {
            runtime r{{.workers = 1}};
            misuse(r);
            return 0;
        });
        CHECK(result.signal == SIGABRT);
        return result.output;
    };
    const std::string empty = "a callback needs a function";
    CHECK(output_of([](runtime& r) { r.call_soon(std::function<void()>{}); }).find(empty) !=
          std::string::npos);
    CHECK(output_of([](runtime& r) {
              void (*nobody)() = nullptr;
              r.call_later(far, nobody);
          }).find(empty) != std::string::npos);
    CHECK(output_of([](runtime&) { timer_handle{}.cancel(); }).find("empty or was moved from") !=
          std::string::npos);
}
