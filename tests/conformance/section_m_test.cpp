// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section M: sleeping, callbacks, and waking an idle runtime. Section T: the programs of the
// tutorials.
#include "weft/time/sleep.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<bool> sleeps_long_enough(std::chrono::milliseconds delay) {
    stopwatch watch;
    co_await sleep(delay);
    co_return watch.elapsed() >= delay;
}

coro<> stays_busy(std::atomic<bool>& enough) {
    while (!enough) co_await yield();
}

coro<> sleeps_of_every_length(bool busy) {
    std::atomic<bool> enough{!busy};
    std::vector<task<>> load;
    for (int i = 0; i < 2; ++i) load.push_back(create_task(stays_busy(enough)));
    std::vector<coro<bool>> sleepers;
    for (int ms : {1, 5, 20, 50, 100}) {
        for (int i = 0; i < 20; ++i)
            sleepers.push_back(sleeps_long_enough(std::chrono::milliseconds{ms}));
    }
    std::vector<bool> all = co_await gather(std::move(sleepers));
    enough = true;
    co_await gather(std::move(load));
    CHECK(std::ranges::count(all, true) == 100);
}

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> sleeps_for_nothing() {
    for (auto delay : {std::chrono::seconds{0}, std::chrono::seconds{-5}}) {
        event_log log;
        task<> before = create_task(logs(log, "scheduled before"));
        call_soon([&log] {
            log.add("called before");
            call_soon([&log] { log.add("a round later"); });
        });
        const int result = co_await sleep(delay, 10);
        CHECK(log.lines() == lines{"scheduled before", "called before"});
        CHECK(result == 10);
        const std::string text = co_await sleep(delay, "v");
        CHECK(log.lines().back() == "a round later");
        CHECK(text == "v");
        co_await sleep(delay);
        co_await before;
    }
    using seconds = std::chrono::duration<double>;
    const seconds no_number{std::numeric_limits<double>::quiet_NaN()};
    CHECK_THROWS_AS(sleep(no_number), std::invalid_argument);
    CHECK_THROWS_AS(sleep(no_number, 10), std::invalid_argument);
}

coro<> cancels_all(std::vector<task<>>& tasks) {
    for (task<>& t : tasks) t.cancel();
    for (task<>& t : tasks) {
        while (!t.done()) co_await yield();
    }
}

coro<> waits_for(gate& g) { co_await g; }

coro<> schedules_callbacks(event_log& log) {
    gate last;
    call_soon([&] {
        log.add("a");
        call_soon([&] {
            log.add("a2");
            last.open();
        });
    });
    call_soon([&log] { log.add("b"); });
    co_await last;
}

/// Has its turn again and again, and lets a timer and what comes from outside have theirs.
coro<> never_stops_scheduling() {
    std::atomic<bool> enough{false};
    gate over;
    std::move_only_function<void()> again = [&] {
        if (enough)
            over.open();
        else
            call_soon([&again] { again(); });
    };
    call_soon([&again] { again(); });
    co_await sleep(std::chrono::milliseconds{1});
    gate called;
    call_later(std::chrono::milliseconds{1}, [&called] { called.open(); });
    co_await called;
    enough = true;
    co_await over;
}

coro<> cancels_a_callback(event_log& log) {
    const auto before = std::chrono::steady_clock::now();
    timer_handle h = call_later(unit(), [&log] { log.add("cancelled"); });
    const auto after = std::chrono::steady_clock::now();
    CHECK(h.when() >= before + unit());
    CHECK(h.when() <= after + unit());
    CHECK_FALSE(h.cancelled());
    CHECK(h.cancel());
    CHECK(h.cancelled());
    CHECK(h.cancel());
    gate last;
    call_later(std::chrono::seconds{-1}, [&log] { log.add("a"); });
    call_later(std::chrono::seconds{-2}, [&log] { log.add("b"); });
    call_later(2 * unit(), [&last] { last.open(); });
    co_await last;
    CHECK(log.lines() == lines{"b", "a"});
    CHECK(h.when() <= after + unit());
}

coro<> waits_with_a_limit(gate& g) { co_await with_timeout(far, waits_for(g)); }

coro<std::string> call_api(event_log& log, std::string message, std::chrono::nanoseconds delay) {
    log.add(message);
    co_await sleep(delay);
    co_return "result";
}

coro<> show_message(event_log& log) {
    for (int i = 0; i < 3; ++i) {
        co_await sleep(unit());
        log.add("M");
    }
}

coro<> tutorial_of_messages(event_log& log) {
    task<> messages = create_task(show_message(log));
    task<std::string> first = create_task(call_api(log, "api 1", 3 * unit()));
    task<std::string> second = create_task(call_api(log, "api 2", 3 * unit()));
    std::string r1 = co_await first;
    log.add(r1);
    std::string r2 = co_await second;
    log.add(r2);
    co_await messages;
}

coro<std::string> timer(event_log& log, int duration) {
    for (int i = 1; i <= duration; ++i) {
        log.add("Timer: " + std::to_string(i));
        co_await sleep(unit());
    }
    co_return "Timer: done";
}

coro<std::string> work(event_log& log) {
    log.add("Work: started");
    co_await sleep(2 * unit());
    co_return "Work: done";
}

coro<> tutorial_of_the_timer(event_log& log) {
    task<std::string> timing = create_task(timer(log, 5));
    task<std::string> working = create_task(work(log));
    std::string first = co_await timing;
    std::string second = co_await working;
    log.add(first);
    log.add(second);
}

struct batch_state {
    std::vector<int> responses;
    std::atomic<int> in_flight{0};
    std::atomic<int> most{0};
    std::atomic<std::size_t> ended{0};
    std::atomic<bool> separated{true};
};

constexpr std::size_t batch_size = 10;

coro<> fetch(batch_state& s, std::size_t i) {
    int now = ++s.in_flight;
    for (int most = s.most; now > most && !s.most.compare_exchange_weak(most, now);) {
    }
    if (s.ended < i / batch_size * batch_size) s.separated = false;
    co_await sleep(unit() / 5);
    s.responses[i] = static_cast<int>(i) * 3;
    --s.in_flight;
    ++s.ended;
}

coro<> fetch_in_batches(batch_state& s, std::size_t urls) {
    s.responses.assign(urls, -1);
    for (std::size_t batch = 0; batch < urls / batch_size + 1; ++batch) {
        std::vector<task<>> tasks;
        for (std::size_t i = batch * batch_size; i < std::min(urls, (batch + 1) * batch_size);
             ++i) {
            tasks.push_back(create_task(fetch(s, i)));
        }
        co_await gather(std::move(tasks));
    }
}

}  // namespace

TEST_CASE("C149 a sleep is never shorter than asked, idle or busy") {
    on_workers(multi, [](unsigned workers) {
        run(sleeps_of_every_length(false), {.workers = workers});
        run(sleeps_of_every_length(true), {.workers = workers});
    });
}

TEST_CASE("C150 a sleep of nothing lets what was queued before go first") {
    on_workers(single, [](unsigned workers) { run(sleeps_for_nothing(), {.workers = workers}); });
}

TEST_CASE("C152 cancelled sleeps leave no timer behind") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        std::vector<task<>> tasks;
        for (int i = 0; i < 10'000; ++i) {
            tasks.push_back(r.spawn(coro_sleep(std::chrono::hours{1})));
        }
        while (r.statistics().timers_armed != 10'000) std::this_thread::yield();
        stopwatch watch;
        r.block_on(cancels_all(tasks));
        CHECK(r.statistics().timers_armed == 0);
        std::size_t cancelled_tasks = 0;
        for (task<>& t : tasks) cancelled_tasks += t.cancelled() ? 1u : 0u;
        CHECK(cancelled_tasks == 10'000);
        r.close();
        CHECK(watch.elapsed() < soon);
    });
}

TEST_CASE("C153 what callbacks schedule runs in the next round") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(schedules_callbacks(log), {.workers = workers});
        CHECK(log.lines() == lines{"a", "b", "a2"});
        run(never_stops_scheduling(), {.workers = workers});
    });
}

TEST_CASE("C155 a cancelled callback is not called, and negative delays come by deadline") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(cancels_a_callback(log), {.workers = workers});
    });
}

TEST_CASE("C156 a foreign thread wakes an idle runtime") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        event_log log;
        gate all;
        task<> main = r.spawn(waits_with_a_limit(all));
        while (all.waiting() == 0) std::this_thread::yield();
        stopwatch watch;
        std::atomic<int> counter{0};
        std::thread{[&] {
            for (const char* name : {"1", "2", "3", "4", "5"}) {
                r.call_soon([&, name] {
                    log.add(name);
                    if (++counter == 5) all.open();
                });
            }
        }}.join();
        while (!main.done()) std::this_thread::yield();
        CHECK(watch.elapsed() < soon);
        CHECK(outcome_of(main) == "value");
        lines called = log.lines();
        if (workers > 1) std::ranges::sort(called);
        CHECK(called == lines{"1", "2", "3", "4", "5"});
    });
}

TEST_CASE("C213 messages beside two calls") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        stopwatch watch;
        run(tutorial_of_messages(log), {.workers = workers});
        auto elapsed = watch.elapsed();
        lines found = log.lines();
        REQUIRE(found.size() == 7);
        lines head(found.begin(), found.begin() + 2);
        if (workers > 1) std::ranges::sort(head);  // several workers start them in any order
        CHECK(head == lines{"api 1", "api 2"});
        CHECK(log.count("M") == 3);
        CHECK(log.count("result") == 2);
        CHECK(elapsed >= 3 * unit());
        CHECK(elapsed * 10 < 6 * 9 * unit());
    });
}

TEST_CASE("C214 a timer beside work") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        stopwatch watch;
        run(tutorial_of_the_timer(log), {.workers = workers});
        CHECK(log.lines() == lines{"Timer: 1", "Work: started", "Timer: 2", "Timer: 3", "Timer: 4",
                                   "Timer: 5", "Timer: done", "Work: done"});
        CHECK(watch.elapsed() >= 5 * unit());
    });
}

TEST_CASE("C215 ordered batches, with an empty last one") {
    on_workers(multi, [](unsigned workers) {
        for (std::size_t urls : {25u, 20u, 0u}) {
            batch_state s;
            run(fetch_in_batches(s, urls), {.workers = workers});
            bool in_order = true;
            for (std::size_t i = 0; i < urls; ++i) {
                in_order = in_order && s.responses[i] == static_cast<int>(i) * 3;
            }
            CHECK(in_order);
            CHECK(s.most <= static_cast<int>(batch_size));
            CHECK(s.separated);
            CHECK(s.ended == urls);
        }
    });
}
