// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What becomes of a task when its last handle goes.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/task/create_task.hpp"

using namespace weft;
using namespace weft::test;

namespace {

constexpr task_options cancelled_when_dropped{.on_drop = drop_policy::cancel};

/// How a task that waits for a gate ended, and what it waited for.
struct ending {
    gate go;
    gate over;
    std::string how;
};

coro<> waits(ending& e) {
    try {
        co_await e.go;
        e.how = "went on";
    } catch (const cancelled& why) {
        e.how = why.reason();
        e.over.open();
        throw;
    }
    e.over.open();
}

coro<> begun(const gate& g) {
    while (g.waiting() == 0) co_await yield();
}

coro<> drops_a_waiting_task() {
    ending e;
    task<> t = create_task(waits(e), cancelled_when_dropped);
    task<> copy = t;
    co_await begun(e.go);
    t = {};
    for (int i = 0; i < 3; ++i) co_await yield();
    CHECK(e.how.empty());
    copy = {};
    co_await e.over;
    CHECK(e.how == "its last handle was dropped");
}

coro<> notes(bool& ran) {
    ran = true;
    co_return;
}

coro<> drops_at_once() {
    bool ran = false;
    create_task(notes(ran), cancelled_when_dropped);
    co_await yield();
    co_await create_task(notes(ran));
    CHECK(ran);
    ran = false;
    create_task(notes(ran), cancelled_when_dropped);
    while (all_tasks().size() > 1) co_await yield();
    CHECK_FALSE(ran);
}

coro<> drops_after_the_end() {
    ending e;
    e.go.open();
    task<> t = create_task(waits(e), cancelled_when_dropped);
    co_await e.over;
    while (!t.done()) co_await yield();
    t = {};
    CHECK(e.how == "went on");
}

coro<> is_awaited_by_the_last_handle() {
    ending first, second;
    task<> t = create_task(waits(first), cancelled_when_dropped);
    task<> awaiter = create_task(ended(std::move(t)));
    task<> other = create_task(waits(second), cancelled_when_dropped);
    co_await begun(first.go);
    co_await begun(second.go);
    first.go.open();
    second.go.open();
    co_await std::move(other);
    co_await awaiter;
    CHECK(first.how == "went on");
    CHECK(second.how == "went on");
}

coro<> has_a_callback() {
    ending e;
    gate called;
    bool was_cancelled = false;
    {
        task<> t = create_task(waits(e), cancelled_when_dropped);
        co_await begun(e.go);
        for (int i = 0; i < 2; ++i) {
            t.add_done_callback([&](any_task done) {
                was_cancelled = done.cancelled();
                called.open();
            });
        }
        callback_token token = t.add_done_callback([](any_task) {});
        t.remove_done_callback(token);
    }
    co_await called;
    co_await e.over;
    CHECK(was_cancelled);
}

coro<> declines(gate& asked, gate& go, int& requests) {
    for (;;) {
        try {
            co_await go;
            co_return;
        } catch (const cancelled&) {
            ++requests;
            asked.open();
        }
    }
}

coro<> is_asked_once() {
    gate asked;
    gate go;
    int requests = 0;
    create_task(declines(asked, go, requests), cancelled_when_dropped);
    co_await yield();  // with one worker it has begun
    {
        task<> t = create_task(declines(asked, go, requests), cancelled_when_dropped);
        while (go.waiting() == 0) co_await yield();
    }
    co_await asked;
    while (go.waiting() == 0) co_await yield();
    for (int i = 0; i < 3; ++i) {
        CHECK(all_tasks().size() == 2);  // handles that come and go once it was asked
        co_await yield();
    }
    go.open();
    while (all_tasks().size() > 1) co_await yield();
    CHECK(requests == 1);
}

coro<> keeps_its_own_handle(gate& go, bool& went_on) {
    any_task self = current_task();
    co_await go;
    went_on = static_cast<bool>(self);
}

coro<> looks_at_itself(ending& e) {
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(current_task().name());
        co_await yield();
    }
    co_await waits(e);
}

coro<> handles_of_the_task_itself() {
    gate go;
    bool went_on = false;
    {
        task<> t = create_task(keeps_its_own_handle(go, went_on), cancelled_when_dropped);
        co_await begun(go);
    }
    co_await yield();
    go.open();
    while (all_tasks().size() > 1) co_await yield();
    CHECK(went_on);
    ending e;
    {
        task<> t = create_task(looks_at_itself(e), cancelled_when_dropped);
        co_await begun(e.go);
        CHECK(t.cancelling() == 0);
    }
    co_await e.over;
    CHECK(e.how == "its last handle was dropped");
}

coro<> fails() {
    throw std::runtime_error("seen by nobody");
    co_return;
}

coro<> drops_a_failed_task() {
    task<> t = create_task(fails(), cancelled_when_dropped);
    while (!t.done()) co_await yield();
}

coro<> counts_the_end(gate& go, std::atomic<int>& ends) {
    const scope_exit at_the_end([&ends] { ++ends; });
    co_await go;
}

coro<> drops(task<>& handle, bool& went_on) {
    handle = {};
    co_await yield();
    went_on = true;
}

/// One worker runs the task directly, in the await.
coro<> awaits_one_that_drops_its_handle() {
    bool went_on = false;
    task<> t;
    t = create_task(drops(t, went_on), cancelled_when_dropped);
    co_await t;
    CHECK(went_on);
}

}  // namespace

TEST_CASE("a task that goes with its last handle is cancelled by that one only") {
    on_workers(multi, [](unsigned workers) { run(drops_a_waiting_task(), {.workers = workers}); });
}

TEST_CASE("a task that goes with its handle never begins if that is dropped before") {
    on_workers(single, [](unsigned workers) { run(drops_at_once(), {.workers = workers}); });
}

TEST_CASE("dropping the last handle of a task that is done does nothing") {
    on_workers(multi, [](unsigned workers) { run(drops_after_the_end(), {.workers = workers}); });
}

TEST_CASE("a task that is awaited is not dropped") {
    on_workers(multi, [](unsigned workers) {
        run(is_awaited_by_the_last_handle(), {.workers = workers});
    });
}

TEST_CASE("a task that is awaited directly is not dropped") {
    on_workers(single, [](unsigned workers) {
        run(awaits_one_that_drops_its_handle(), {.workers = workers});
    });
}

TEST_CASE("done-callbacks are no handles: a task that has some is dropped as well") {
    on_workers(multi, [](unsigned workers) { run(has_a_callback(), {.workers = workers}); });
}

TEST_CASE("a task that declines to go with its last handle is not asked again") {
    on_workers(single, [](unsigned workers) { run(is_asked_once(), {.workers = workers}); });
}

TEST_CASE("a handle that the task itself keeps is one") {
    on_workers(multi,
               [](unsigned workers) { run(handles_of_the_task_itself(), {.workers = workers}); });
}

TEST_CASE("a failed task that goes with its last handle is reported as any other") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(drops_a_failed_task());
        }
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].what == failure::kind::never_observed);
    });
}

TEST_CASE("threads that drop the copies of a handle cancel its task once") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        for (int round = 0; round < 50; ++round) {
            gate go;
            std::atomic<int> ends{0};
            {
                task<> t = r.spawn(counts_the_end(go, ends), cancelled_when_dropped);
                while (go.waiting() == 0) std::this_thread::yield();
                std::vector<std::thread> threads;
                for (int i = 0; i < 3; ++i)
                    threads.emplace_back([copy = t]() mutable { copy = {}; });
                t = {};
                for (std::thread& thread : threads) thread.join();
            }
            while (ends != 1) std::this_thread::yield();
        }
    });
}
