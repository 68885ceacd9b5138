// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/call_soon.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
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
using clock = std::chrono::steady_clock;

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

coro<> until(const std::atomic<int>& counter, int expected) {
    while (counter != expected) co_await yield();
}

coro<> runs_in_the_order_of_calls(event_log& log, bool alone) {
    gate last;
    create_task(logs(log, "task 1"));
    call_soon([&log] { log.add("callback 1"); });
    create_task(logs(log, "task 2"));
    call_soon([&log, &last] {
        log.add("callback 2");
        last.open();
    });
    if (alone) CHECK(log.lines().empty());  // never inline
    co_await last;
}

struct counts_calls {
    void add(int more) { total += more; }
    std::atomic<int> total{0};
};

std::atomic<int> free_calls{0};
void free_function(int more) { free_calls += more; }

coro<> takes_whatever_can_be_called() {
    counts_calls object;
    std::atomic<int> calls{0};
    auto owned = std::make_unique<int>(7);
    free_calls = 0;
    call_soon(free_function, 1);
    call_soon(&free_function, 2);
    call_soon(&counts_calls::add, &object, 3);
    call_soon(&counts_calls::add, std::ref(object), 4);
    call_soon([&calls](std::unique_ptr<int> p) { calls += *p; }, std::move(owned));
    call_soon([&calls](const std::string& text) { calls += text == "text" ? 1 : 100; }, "text");
    call_soon([&calls, p = std::make_unique<int>(10)] { return calls += *p; });  // dropped
    call_soon(std::function<void()>{[&calls] { ++calls; }});
    co_await until(calls, 19);
    co_await until(object.total, 7);
    co_await until(free_calls, 3);
}

coro<> is_called_by_deadline(event_log& log) {
    gate last;
    const auto begin = clock::now() + unit();
    const auto add = [&log](const char* name) { log.add(name); };
    call_at(begin + unit(), add, "3");
    call_at(begin, add, "1");
    call_at(begin, add, "1 again");
    call_at(begin + unit() / 2, add, "2");
    call_at(begin + unit(), [&] { last.open(); });
    co_await last;
}

coro<> is_never_early() {
    std::atomic<int> early{0};
    std::atomic<int> calls{0};
    for (int ms = 0; ms < 20; ++ms) {
        const auto due = clock::now() + std::chrono::milliseconds{ms};
        call_later(std::chrono::milliseconds{ms}, [&early, &calls, due] {
            early += clock::now() < due ? 1 : 0;
            ++calls;
        });
    }
    co_await until(calls, 20);
    CHECK(early == 0);
}

coro<> takes_strange_delays(event_log& log) {
    using seconds = std::chrono::duration<double>;
    gate last;
    CHECK_THROWS_AS(call_later(seconds{std::numeric_limits<double>::quiet_NaN()}, [] {}),
                    std::invalid_argument);
    timer_handle never =
        call_later(seconds{std::numeric_limits<double>::infinity()}, [&log] { log.add("never"); });
    timer_handle longest =
        call_later(std::chrono::nanoseconds::max(), [&log] { log.add("longest"); });
    CHECK(never.when() == clock::time_point::max());
    CHECK(longest.when() == clock::time_point::max());
    call_later(seconds{-std::numeric_limits<double>::infinity()}, [&log] { log.add("at once"); });
    call_at(clock::time_point::min(), [&log] { log.add("first of all"); });
    call_later(std::chrono::microseconds{1}, [&last] { last.open(); });
    co_await last;
    while (log.lines().size() < 2) co_await yield();  // others may call them on other workers
    CHECK(log.count("at once") == 1);
    CHECK(log.count("first of all") == 1);
    CHECK(never.cancel());
}

coro<> knows_when() {
    const auto before = clock::now();
    timer_handle soon_after = call_soon([] {});
    timer_handle later = call_later(far, [] {});
    const auto after = clock::now();
    CHECK(soon_after.when() == clock::time_point::min());
    CHECK(later.when() >= before + far);
    CHECK(later.when() <= after + far);
    CHECK(call_at(before, [] {}).when() == before);
    CHECK(later.cancel());
    co_return;
}

coro<> frees_what_it_captured() {
    auto capture = std::make_shared<int>(1);
    timer_handle soon_after = call_soon([capture] {});
    timer_handle later = call_later(far, [capture](const auto&) {}, capture);
    CHECK(capture.use_count() >= 3);  // another worker may have called the first one
    timer_handle copy = later;
    CHECK(copy == later);
    CHECK(later != soon_after);
    CHECK(copy.cancel());
    CHECK(capture.use_count() <= 2);  // before cancel() returned
    CHECK(later.cancelled());
    CHECK(later.cancel());
    while (capture.use_count() != 1) co_await yield();  // called; its handle is still there
    CHECK_FALSE(soon_after.cancel());
    CHECK_FALSE(soon_after.cancelled());
}

coro<> goes_on_without_its_handle() {
    std::atomic<int> calls{0};
    {
        timer_handle dropped = call_soon([&calls] { ++calls; });
        timer_handle later = call_later(std::chrono::milliseconds{1}, [&calls] { ++calls; });
    }
    co_await until(calls, 2);
}

/// The last handles to a callback, and what else it holds, go with its callable.
coro<> holds_its_own_handle() {
    struct self {
        timer_handle handle;
        std::atomic<int>* gone;
        explicit self(std::atomic<int>& count) : gone(&count) {}
        self(const self&) = delete;
        self& operator=(const self&) = delete;
        ~self() { ++*gone; }
    };
    std::atomic<int> gone{0};
    std::atomic<int> refused{0};
    {
        auto waits = std::make_shared<self>(gone);
        self* const inside = waits.get();
        waits->handle = call_later(far, [waits] {});
        waits.reset();
        CHECK(inside->handle.cancel());
        CHECK(gone == 1);
    }
    auto runs = std::make_shared<self>(gone);
    runs->handle = call_later(std::chrono::milliseconds{1}, [runs, &refused] {
        refused += runs->handle.cancel() ? 0 : 1;  // by this very call
    });
    runs.reset();
    co_await until(gone, 2);
    CHECK(refused == 1);
}

coro<> is_no_task() {
    std::atomic<int> tasks{0};
    std::atomic<int> steps{0};
    const auto counts_tasks = [&tasks, &steps] {
        tasks += static_cast<bool>(current_task()) ? 1 : 0;
        ++steps;
    };
    call_soon(counts_tasks);
    call_later(std::chrono::milliseconds{1}, counts_tasks);
    task<> done = create_task(coro_sleep(std::chrono::nanoseconds{0}));
    done.add_done_callback([counts_tasks](any_task) { counts_tasks(); });
    co_await until(steps, 3);
    CHECK(tasks == 0);
    timer_handle waits = call_later(far, [] {});
    CHECK(all_tasks() == std::vector<any_task>{current_task()});
    waits.cancel();
}

coro<> counts(std::atomic<int>& counter) {
    ++counter;
    co_return;
}

coro<> does_what_tasks_do() {
    std::atomic<int> steps{0};
    std::atomic<int> wrong{0};
    call_soon([&] {
        create_task(counts(steps));
        call_soon([&steps] { ++steps; });
        call_later(std::chrono::milliseconds{1}, [&] {
            ++steps;
            wrong += all_tasks().empty() ? 1 : 0;
            create_task({.priority = priority::latency}, counts, std::ref(steps));
        });
    });
    co_await until(steps, 4);
    CHECK(wrong == 0);
}

coro<> inherits_its_priority() {
    std::atomic<int> seen{-1};
    const auto note = [&seen]() -> coro<> {
        seen = static_cast<int>(current_task().priority());
        co_return;
    };
    current_task().set_priority(priority::background);
    call_soon([&note] { create_task(note()); });
    while (seen == -1) co_await yield();
    CHECK(seen == static_cast<int>(priority::background));
}

coro<> throws_and_goes_on(std::atomic<int>& calls) {
    call_soon([] { throw std::runtime_error("spam"); });
    call_soon([&calls] { ++calls; });
    call_later(std::chrono::milliseconds{1}, [] { throw 7; });
    call_later(std::chrono::milliseconds{2}, [&calls] { ++calls; });
    co_await until(calls, 2);
}

/// Puts itself at the back again and again, beside a timer, a sleep and what comes from outside.
coro<> never_rests(runtime& r) {
    struct ticker {
        std::atomic<bool> enough{false};
        std::atomic<int> ticks{0};
        gate over{};
        void tick() {
            ++ticks;
            if (enough)
                over.open();
            else
                call_soon(&ticker::tick, this);
        }
    };
    ticker busy;
    std::atomic<int> called{0};
    call_soon(&ticker::tick, &busy);
    co_await sleep(std::chrono::milliseconds{1});
    call_later(std::chrono::milliseconds{1}, [&called] { ++called; });
    std::thread{[&] { r.call_soon([&called] { ++called; }); }}.join();
    while (called != 2) co_await sleep(std::chrono::microseconds{100});
    CHECK(busy.ticks > 2);
    busy.enough = true;
    co_await busy.over;
}

coro<> cancels_many(runtime& r) {
    constexpr std::size_t many = 100'000;
    std::atomic<int> calls{0};
    for (std::size_t begun = 0; begun < many; begun += 1'000) {
        std::vector<timer_handle> handles;
        for (int i = 0; i < 1'000; ++i) {
            handles.push_back(call_later(far + i * unit(), [&calls] { ++calls; }));
        }
        for (const timer_handle& each : handles) {
            if (!each.cancel()) ++calls;
        }
        if (r.statistics().timers_armed != 0) ++calls;
        co_await yield();
    }
    CHECK(calls == 0);
    while (r.statistics().live_tasks != 1) co_await yield();
}

}  // namespace

TEST_CASE("callbacks run in the order of the calls, among tasks, never inline") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(runs_in_the_order_of_calls(log, workers == 1), {.workers = workers});
        lines found = log.lines();
        if (workers > 1) std::ranges::sort(found);
        const lines order = workers > 1 ? lines{"callback 1", "callback 2", "task 1", "task 2"}
                                        : lines{"task 1", "callback 1", "task 2", "callback 2"};
        CHECK(found == order);
    });
}

TEST_CASE("a callback is whatever can be called, with its arguments") {
    on_workers(multi,
               [](unsigned workers) { run(takes_whatever_can_be_called(), {.workers = workers}); });
}

TEST_CASE("callbacks are called by deadline, equal ones in the order of the calls") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(is_called_by_deadline(log), {.workers = workers});
        CHECK(log.lines() == lines{"1", "1 again", "2", "3"});
    });
}

TEST_CASE("a callback is never early") {
    on_workers(multi, [](unsigned workers) { run(is_never_early(), {.workers = workers}); });
}

TEST_CASE("delays of callbacks beyond every range") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(takes_strange_delays(log), {.workers = workers});
        CHECK(log.count("never") + log.count("longest") == 0);
    });
}

TEST_CASE("a timer handle tells the deadline") {
    on_workers(multi, [](unsigned workers) { run(knows_when(), {.workers = workers}); });
}

TEST_CASE("what a callback captured goes when it is called or cancelled, whoever has a handle") {
    on_workers(multi, [](unsigned workers) {
        run(frees_what_it_captured(), {.workers = workers});
        run(goes_on_without_its_handle(), {.workers = workers});
        run(holds_its_own_handle(), {.workers = workers});
    });
}

TEST_CASE("a callback is no task and may do what tasks do") {
    on_workers(multi, [](unsigned workers) {
        run(is_no_task(), {.workers = workers});
        run(does_what_tasks_do(), {.workers = workers});
        run(inherits_its_priority(), {.workers = workers});
    });
}

TEST_CASE("a callback that throws is reported, and the others go on") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        std::atomic<int> calls{0};
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(throws_and_goes_on(calls));
        }
        std::vector<failure> told = reports.all();
        REQUIRE(told.size() == 2);
        if (told[0].message.ends_with("std::exception")) std::swap(told[0], told[1]);
        CHECK(told[0].what == failure::kind::in_callback);
        CHECK(told[0].message == "exception in " + told[0].task_name + ": spam");
        CHECK(told[0].task_name.starts_with("callback-"));
        CHECK(text_of(told[0].exception) == "spam");
        CHECK(told[1].message.ends_with("an exception that is not a std::exception"));
    });
}

TEST_CASE("a callback that schedules itself for ever keeps nothing else waiting") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        r.block_on(never_rests(r));
    });
}

TEST_CASE("callbacks that are cancelled leave no timer and no memory behind") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        r.block_on(cancels_many(r));
        CHECK(r.statistics().timers_armed == 0);
    });
}
