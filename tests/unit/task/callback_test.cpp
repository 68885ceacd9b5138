// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Done-callbacks, and what a coroutine promises before anything runs it.
#include <atomic>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> callbacks_in_order(event_log& log) {
    gate g;
    gate last;
    task<> t = create_task(pass(g));
    for (const char* name : {"1", "2", "3"}) {
        t.add_done_callback([&log, name](any_task) { log.add(name); });
    }
    t.add_done_callback([&last](any_task) { last.open(); });
    CHECK(log.lines().empty());
    g.open();
    co_await last;
    CHECK(log.lines() == lines{"1", "2", "3"});
}

coro<> callback_of_a_done_task(event_log& log) {
    gate g;
    g.open();
    gate called;
    task<> t = create_task(pass(g));
    co_await t;
    t.add_done_callback([&](any_task done) {
        log.add(done == t ? "called" : "called for another task");
        done.add_done_callback([&called](any_task) { called.open(); });
    });
    CHECK(log.lines().empty());  // never inline
    co_await called;
    CHECK(log.lines() == lines{"called"});
}

coro<> callback_of_a_cancelled_task(event_log& log) {
    gate never;
    gate called;
    task<> t = create_task(pass(never));
    t.add_done_callback([&](any_task done) {
        log.add(done.cancelled() ? "cancelled" : "?");
        called.open();
    });
    t.cancel();
    co_await called;
    CHECK(log.lines() == lines{"cancelled"});
}

coro<> callbacks_go_with_their_captures() {
    auto capture = std::make_shared<int>(1);
    gate g;
    task<> t = create_task(pass(g));
    callback_token token = t.add_done_callback([capture](any_task) {});
    t.add_done_callback([capture](any_task) {});
    CHECK(capture.use_count() == 3);
    CHECK(t.remove_done_callback(token));
    CHECK(capture.use_count() == 2);
    g.open();
    co_await t;
    while (capture.use_count() > 1) co_await yield();
}

/// Asks its task something when it goes, which takes the lock that guards the callbacks.
class asks_at_the_end {
public:
    asks_at_the_end(any_task t, int& count) : task_(std::move(t)), count_(&count) {}
    asks_at_the_end(asks_at_the_end&& other) noexcept
        : task_(std::move(other.task_)), count_(std::exchange(other.count_, nullptr)) {}
    ~asks_at_the_end() {
        if (count_ != nullptr && !task_.name().empty()) ++*count_;
    }
    void operator()(any_task) {}

private:
    any_task task_;
    int* count_;
};

coro<> captures_that_ask() {
    int asked = 0;
    gate g;
    task<> t = create_task(pass(g), {.name = "asked"});
    callback_token token = t.add_done_callback(asks_at_the_end{t, asked});
    CHECK(t.remove_done_callback(token));
    CHECK(asked == 1);
    g.open();
    co_await t;
}

coro<int> keeps(std::shared_ptr<int> argument) { co_return *argument; }

}  // namespace

TEST_CASE("done-callbacks run in the order of their registration, never inline") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(callbacks_in_order(log), {.workers = workers});
        event_log other;
        run(callback_of_a_done_task(other), {.workers = workers});
        event_log third;
        run(callback_of_a_cancelled_task(third), {.workers = workers});
    });
}

TEST_CASE("a done-callback's captures go with it") {
    on_workers(multi, [](unsigned workers) {
        run(callbacks_go_with_their_captures(), {.workers = workers});
    });
}

TEST_CASE("what a removed callback captured may use the task when it goes") {
    on_workers(multi, [](unsigned workers) { run(captures_that_ask(), {.workers = workers}); });
}

TEST_CASE("a callback that a closed runtime refuses may use the task when it goes") {
    int asked = 0;
    task<int> t;
    {
        runtime r{{.workers = 1}};
        t = r.spawn(keeps(std::make_shared<int>(1)));
        r.block_on(ended(t));
        r.close();
        CHECK_THROWS_AS(t.add_done_callback(asks_at_the_end{t, asked}), runtime_closed);
    }
    CHECK(asked == 1);
}

TEST_CASE("an empty callback is refused with a sentence") {
    child_result result = in_child([] {
        auto adds = []() -> coro<> {
            current_task().add_done_callback({});
            co_return;
        };
        run(adds(), {.workers = 1});
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("needs a function") != std::string::npos);
}

TEST_CASE("callbacks are added from foreign threads while the task ends") {
    on_workers(multi, [](unsigned workers) {
        for (int round = 0; round < 50; ++round) {
            std::atomic<int> called{0};
            gate g;
            runtime r{{.workers = workers}};
            task<> t = r.spawn(pass(g));
            std::vector<std::thread> threads;
            for (int i = 0; i < 2; ++i) {
                threads.emplace_back([&] {
                    for (int n = 0; n < 20; ++n) t.add_done_callback([&](any_task) { ++called; });
                });
            }
            g.open();
            for (std::thread& thread : threads) thread.join();
            while (called != 40) std::this_thread::yield();
        }
    });
}

TEST_CASE("a coroutine that is never started frees its arguments") {
    leak_check clean;
    auto argument = std::make_shared<int>(5);
    {
        coro<int> unused = keeps(argument);
        CHECK(argument.use_count() == 2);
        CHECK(unused.valid());
        coro<int> other = std::move(unused);
        CHECK_FALSE(unused.valid());  // NOLINT(bugprone-use-after-move): the point
        CHECK(run(std::move(other), {.workers = 1}) == 5);
        CHECK(argument.use_count() == 1);
    }
    CHECK(argument.use_count() == 1);
}
