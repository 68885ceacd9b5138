// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a task sees when a task further in, which has not suspended, asks to cancel one further out:
// with one worker the answers are asyncio's (R3, R7, R9, R13). Whoever shortens the way from an
// await to its task, or back, must keep them.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

namespace {

/// What happened, and whom to cancel.
struct scene {
    std::string log;
    any_task target;
    std::vector<task<>> kept;

    void note(const std::string& what) { log += (log.empty() ? "" : " ") + what; }
};

coro<> does_nothing() { co_return; }

coro<> notes(scene& here, std::string what) {
    here.note(what);
    co_return;
}

coro<> cancels_the_target(scene& here) {
    here.target.cancel();
    co_return;
}

/// Awaits `inner`, says how that ended, and passes a cancellation on.
coro<> awaits(scene& here, std::string name, coro<> inner) {
    task<> child = create_task(std::move(inner));
    here.kept.push_back(child);
    try {
        co_await child;
        here.note(name + "-went-on");
    } catch (const cancelled&) {
        here.note(name + "-cancelled");
        throw;
    }
}

coro<> awaits_silently(coro<> inner) { co_await create_task(std::move(inner)); }

coro<> forks(coro<> inner) { co_await when_all(does_nothing(), std::move(inner)); }

coro<> cancels_while_it_awaits_a_new_task(scene& here) {
    here.target = current_task();
    here.kept.push_back(create_task(cancels_the_target(here)));
    try {
        co_await create_task(notes(here, "child-began"));
    } catch (const cancelled&) {
        here.note("cancelled");
        throw;
    }
}

/// Makes `outermost` the target and waits for its end.
coro<> plays(scene& here, coro<> outermost) {
    task<> whole = create_task(std::move(outermost));
    here.target = whole;
    try {
        co_await whole;
        here.note("done");
    } catch (const cancelled&) {
        here.note("cancelled");
    }
    here.target = {};
    here.kept.clear();
}

coro<> starts_a_canceller(scene& here) {
    here.kept.push_back(create_task(cancels_the_target(here)));
    co_return;
}

coro<> asks(scene& here, int requests, int withdrawn) {
    for (int i = 0; i < requests; ++i) here.target.cancel();
    for (int i = 0; i < withdrawn; ++i) here.target.uncancel();
    here.note(std::to_string(current_task().cancelling()));
    co_return;
}

coro<> calls_back(scene& here) {
    current_task().add_done_callback([&here](any_task) { here.note("callback"); });
    co_return;
}

coro<> awaits_a_caller_back(scene& here) {
    co_await create_task(calls_back(here));
    here.note("awaiter");
    co_await yield();
    co_await yield();
}

coro<> has_no_time(scene& here) {
    try {
        co_await with_timeout(0s, awaits_silently(notes(here, "body")));
    } catch (const timeout_error&) {
        here.note("timeout");
    }
}

/// Computes until it sees that it was asked to stop, without a suspension.
coro<> polls(std::atomic<bool>& began) {
    began = true;
    while (current_task().cancelling() == 0) std::this_thread::yield();
    co_return;
}

/// Computes until somebody else has asked its awaiter.
coro<int> computes_until(std::atomic<bool>& began, const std::atomic<bool>& asked) {
    began = true;
    while (!asked) std::this_thread::yield();
    co_return 1;
}

coro<> awaits_a_poller(std::atomic<bool>& began) { co_await create_task(polls(began)); }

coro<> awaits_a_computation(std::atomic<bool>& began, const std::atomic<bool>& asked,
                            task<int>& child) {
    child = create_task(computes_until(began, asked));
    co_await child;
}

coro<> counts_and_computes(std::atomic<int>& begun) {
    ++begun;
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < 200us) std::this_thread::yield();
    co_return;
}

constexpr int pieces = 1000;

/// Computes without a suspension, in one join.
coro<> forks_widely(std::atomic<int>& begun) {
    std::vector<coro<>> children;
    for (int i = 0; i < pieces; ++i) children.push_back(counts_and_computes(begun));
    co_await when_all(std::move(children));
}

/// The same in a join after the other.
coro<> forks_often(std::atomic<int>& begun) {
    for (int i = 0; i < pieces; i += 2) {
        co_await when_all(counts_and_computes(begun), counts_and_computes(begun));
    }
}

using computation = coro<> (*)(std::atomic<int>&);

coro<> awaits_forks(computation compute, std::atomic<int>& begun) {
    co_await create_task(compute(begun));
}

void wait_for(const std::atomic<bool>& flag) {
    while (!flag) std::this_thread::yield();
}

/// Its own await is what it asks to end, before that has begun.
template <class Awaited>
coro<> stops_itself(scene& here, Awaited awaited) {
    current_task().cancel();
    here.kept.push_back(create_task(notes(here, "other")));
    try {
        co_await std::move(awaited);
    } catch (const cancelled&) {
        here.note("cancelled");
    }
}

coro<> stops_itself_in_each_await(scene& here) {
    co_await stops_itself(here, sleep(far));
    const promise<> unset;
    co_await stops_itself(here, unset.get_future());
}

coro<> calls_back_itself(scene& here) {
    current_task().add_done_callback([&here](any_task) { here.note("callback"); });
    co_await yield();
}

coro<> awaits_one_that_calls_back(scene& here) {
    co_await create_task(calls_back_itself(here));
    here.note("awaiter");
    co_await yield();
}

}  // namespace

TEST_CASE("a request from the innermost task reaches it first, then who awaits it", "[await]") {
    scene here;
    run(plays(here, awaits_silently(awaits(here, "mid", cancels_the_target(here)))),
        {.workers = 1});
    CHECK(here.log == "mid-cancelled cancelled");
    scene forked;
    run(plays(forked, forks(awaits(forked, "fork", cancels_the_target(forked)))), {.workers = 1});
    CHECK(forked.log == "fork-cancelled cancelled");
}

TEST_CASE("a request comes before the awaiter goes on", "[await]") {
    scene here;
    run(plays(here, awaits_silently(awaits(here, "mid", starts_a_canceller(here)))),
        {.workers = 1});
    CHECK(here.log == "mid-cancelled cancelled");
    scene forked;
    run(plays(forked, forks(awaits(forked, "fork", starts_a_canceller(forked)))), {.workers = 1});
    CHECK(forked.log == "fork-cancelled cancelled");
}

TEST_CASE("who awaits a task that is cancelled before it begins goes on", "[await]") {
    scene here;
    run(plays(here, cancels_while_it_awaits_a_new_task(here)), {.workers = 1});
    CHECK(here.log == "cancelled cancelled");
}

TEST_CASE("requests to the awaiter are the awaited task's at once", "[await]") {
    scene twice;
    run(plays(twice, awaits(twice, "outer", asks(twice, 2, 0))), {.workers = 1});
    CHECK(twice.log == "2 outer-cancelled cancelled");
    scene withdrawn;
    run(plays(withdrawn, awaits(withdrawn, "outer", asks(withdrawn, 1, 1))), {.workers = 1});
    CHECK(withdrawn.log == "1 outer-cancelled cancelled");
}

TEST_CASE("a task that never suspends sees a request to its awaiter", "[await]") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<bool> began{false};
        runtime r{{.workers = workers}};
        task<> outer = r.spawn(awaits_a_poller(began));
        wait_for(began);
        CHECK(outer.cancel());
        r.block_on(ended(outer));
        CHECK(outer.cancelled());
    });
}

TEST_CASE("a request to the awaiter stops a task that forks", "[await]") {
    on_workers(multi, [](unsigned workers) {
        for (computation compute : {&forks_widely, &forks_often}) {
            std::atomic<int> begun{0};
            runtime r{{.workers = workers}};
            task<> outer = r.spawn(awaits_forks(compute, begun));
            while (begun == 0) std::this_thread::yield();
            CHECK(outer.cancel());
            r.block_on(ended(outer));
            CHECK(outer.cancelled());
            CHECK(begun < pieces);
        }
    });
}

TEST_CASE("a task that ends after a request to its awaiter ends cancelled", "[await]") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<bool> began{false};
        std::atomic<bool> asked{false};
        task<int> child;
        runtime r{{.workers = workers}};
        task<> outer = r.spawn(awaits_a_computation(began, asked, child));
        wait_for(began);
        CHECK(outer.cancel());
        asked = true;
        r.block_on(ended(outer));
        CHECK(outer.cancelled());
        CHECK(child.cancelled());
    });
}

TEST_CASE("who awaits goes on before a callback that was added later", "[await]") {
    scene here;
    run(awaits_a_caller_back(here), {.workers = 1});
    CHECK(here.log == "awaiter callback");
}

TEST_CASE("who awaits a task is told before the callback that the task adds itself", "[await]") {
    scene here;
    run(awaits_one_that_calls_back(here), {.workers = 1});
    CHECK(here.log == "awaiter callback");
}

TEST_CASE("a task that was asked to stop gives the others a turn before it hears of it",
          "[await]") {
    scene here;
    run(stops_itself_in_each_await(here), {.workers = 1});
    CHECK(here.log == "other cancelled other cancelled");
}

TEST_CASE("a limit of zero ends an await before its task begins", "[await]") {
    scene here;
    run(has_no_time(here), {.workers = 1});
    CHECK(here.log == "timeout");
}
