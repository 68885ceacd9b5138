// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Dumps in a loop, from inside and from a foreign thread, while tasks begin, wait in every way, are
// cancelled and end. What a look defers it must do: nothing hangs, and no cancellation is lost.
#include <array>
#include <atomic>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

struct tally {
    std::atomic<bool> enough{false};
    std::atomic<std::uint64_t> rounds{0};
    std::atomic<std::uint64_t> cancelled{0};
    std::atomic<std::uint64_t> seen_waiting{0};
};

coro<> short_sleep() { co_await sleep(std::chrono::microseconds{20}); }
coro<> one_yield() { co_await yield(); }
coro<> awaits_one() {
    task<> child = create_task(short_sleep());
    co_await child;
}
coro<> gathers() { co_await gather(short_sleep(), one_yield(), awaits_one()); }
coro<> forks() { co_await when_all(short_sleep(), one_yield(), gathers()); }
coro<> receives() {
    auto [sender, receiver] = make_oneshot<int>();
    auto sends = [](oneshot_sender<int> to) -> coro<> {
        co_await yield();
        to.send(1);
    };
    create_task(sends, std::move(sender));
    co_await receiver;
}
coro<> never_ends() { co_await sleep(far); }

/// One whose only way out is the cancellation, which comes while others look.
coro<> cancels_one(tally& t) {
    task<> child = create_task(never_ends());
    co_await yield();
    child.cancel("enough");
    co_await ended(child);
    if (child.cancelled()) ++t.cancelled;
}

/// The same through a parent that waits for it in a child of a when_all.
coro<> cancels_a_parent(tally& t) {
    auto parent = []() -> coro<> {
        task<> child = create_task(never_ends());
        auto waits = [](task<> other) -> coro<> { co_await other; };
        co_await when_all(waits(child), one_yield());
    };
    task<> top = create_task(parent);
    for (int i = 0; i < 3; ++i) co_await yield();
    top.cancel("enough");
    co_await ended(top);
    if (top.cancelled()) ++t.cancelled;
}

coro<> worker_of(tally& t) {
    while (!t.enough) {
        co_await gathers();
        co_await forks();
        co_await awaits_one();
        co_await receives();
        co_await cancels_one(t);
        co_await cancels_a_parent(t);
        ++t.rounds;
    }
}

void count(tally& t, const std::vector<task_description>& tasks) {
    for (const task_description& each : tasks) {
        if (each.phase == task_phase::waiting) ++t.seen_waiting;
        if (each.at.coroutines.empty()) std::abort();
    }
}

coro<> dumps_from_inside(tally& t) {
    while (!t.enough) {
        count(t, dump_tasks());
        co_await yield();
    }
}

coro<> follows_all(tally& t) {
    while (!t.enough) {
        for (const any_task& each : all_tasks()) {
            if (each.await_chain().is_circle) std::abort();
            co_await yield();
        }
    }
}

coro<> wait_for(std::vector<task<>> tasks) {
    for (task<>& each : tasks) co_await each;
}

}  // namespace

TEST_CASE("dumps in a loop change nothing for tasks that begin, wait, are cancelled and end") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        std::vector<task<>> tasks;
        for (int i = 0; i < 6; ++i) tasks.push_back(r.spawn(worker_of(t)));
        const std::size_t working = tasks.size();
        tasks.push_back(r.spawn(dumps_from_inside(t)));
        tasks.push_back(r.spawn(follows_all(t)));
        std::size_t circles = 0;
        std::uint64_t dumps = 0;
        const std::size_t wanted = stress_iterations(60) * working;
        while (t.rounds < wanted) {
            count(t, dump_tasks(r));
            circles += find_deadlocks(r).size();
            ++dumps;
        }
        t.enough = true;
        r.block_on(wait_for(tasks));
        r.close();
        INFO(dumps << " dumps from outside, " << t.seen_waiting << " waiting tasks seen");
        CHECK(circles == 0);
        CHECK(t.seen_waiting > 0);
        CHECK(t.cancelled == 2 * t.rounds);
        CHECK(r.statistics().timers_armed == 0);
    });
}

namespace {

coro<> joins_the_next(gate& ready, const task<>& next) {
    co_await ready;
    co_await next;
}

coro<> closes_circles(tally& t, std::uint64_t& made) {
    while (!t.enough) {
        gate ready;
        std::array<task<>, 3> ring;
        for (std::size_t i = 0; i < ring.size(); ++i)
            ring[i] = create_task(joins_the_next(ready, ring[(i + 1) % ring.size()]));
        ready.open();
        for (int i = 0; i < 5; ++i) co_await yield();
        ring[0].cancel();
        for (const task<>& each : ring) co_await ended(each);
        ++made;
    }
}

}  // namespace

TEST_CASE("circles that close and are cancelled are found whole or not at all") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        std::uint64_t made = 0;
        std::uint64_t found = 0;
        bool all_whole = true;
        runtime r{{.workers = workers}};
        task<> closes = r.spawn(closes_circles(t, made));
        for (std::size_t i = 0; i < stress_iterations(1'000); ++i) {
            for (const await_chain& circle : find_deadlocks(r)) {
                ++found;
                all_whole = all_whole && circle.is_circle && circle.tasks.size() == 3;
            }
        }
        t.enough = true;
        r.block_on(ended(closes));
        INFO(found << " found of " << made);
        CHECK(all_whole);
    });
}

namespace {

coro<> awaits_future(future<int> f) { co_await f; }

/// The looker may be the one who hands the cancellation on to the future, and settles that.
void is_followed_and_cancelled(runtime& r, std::atomic<std::uint64_t>& called) {
    const promise<int> p{r};
    const future<int> f = p.get_future();
    f.add_done_callback([&called](const future<int>&) { ++called; });
    const task<> waits = r.spawn(awaits_future(f));
    while (waits.await_chain().tasks.front().phase != task_phase::waiting)
        std::this_thread::yield();
    std::atomic<bool> looks{false};
    std::thread looker([&] {
        for (looks = true; !waits.done();) static_cast<void>(waits.await_chain());
    });
    while (!looks) std::this_thread::yield();
    waits.cancel();
    looker.join();
}

}  // namespace

TEST_CASE("a look may settle a future that has callbacks") {
    on_workers({2}, [](unsigned workers) {
        std::atomic<std::uint64_t> called{0};
        const std::size_t rounds = stress_iterations(200);
        {
            runtime r{{.workers = workers}};
            for (std::size_t i = 0; i < rounds; ++i) is_followed_and_cancelled(r, called);
        }
        CHECK(called == rounds);
    });
}
