// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// How long a ready task waits at worst, in turns and in time: the bounds of docs/architecture.md,
// section Fairness, computed from the constants that the loop uses. The worker is the real one; it
// is driven turn by turn on a virtual clock (support/driven_runtime.hpp), so the numbers are exact.
#include "sched/fairness.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "busy_stage.hpp"
#include "weft/base/unique_fd.hpp"

using namespace weft;
using namespace weft::test;
namespace fairness = detail::fairness;

namespace {

/// A child that suspends at once, so that the next one is a turn of its own.
coro<> yielding_child(stage& s, nanoseconds run) {
    ++s.children;
    s.runtime.spend(run);
    co_await yield();
}

coro<> forks_once(stage& s, std::size_t count, nanoseconds run) {
    std::vector<coro<>> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(yielding_child(s, run));
    co_await when_all(std::move(all));
}

/// A child that forks for a while before it suspends.
coro<> forks_and_yields(stage& s, nanoseconds run) {
    for (int i = 0; i < 400; ++i) co_await when_all(child(s, run), child(s, run));
    co_await yield();
}

/// More forks in one run than a burst has.
coro<> forks_and_yields_on(stage& s, nanoseconds run) {
    while (s.goes_on()) {
        for (int i = 0; i < 1500 && s.goes_on(); ++i) {
            co_await when_all(child(s, run), child(s, run));
        }
        co_await yield();
    }
}

coro<> forks_short_bursts(stage& s, std::size_t count, nanoseconds run) {
    std::vector<coro<>> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(forks_and_yields(s, run));
    co_await when_all(std::move(all));
}

coro<> notes_its_wait(stage& s, stop_watch watch, longest_wait& worst) {
    worst.raise_to(watch.stop(s));
    co_return;
}

/// Waits for one event of a descriptor.
class readable final : public detail::operation, public detail::io_waiter {
public:
    explicit readable(detail::reactor_slot& slot) noexcept : io_waiter{&on_event}, slot_(slot) {}
    readable(const readable&) = delete;
    readable& operator=(const readable&) = delete;
    bool await_ready() const noexcept { return false; }
    template <detail::weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        self_ = &caller.promise().current();
        self_->resume_point = caller;
        self_->operation = this;
        const auto found = slot_.word(detail::io_direction::read).prepare(this);
        return found == detail::io_prepare::waiting && detail::commit_suspend(*self_);
    }
    void await_resume() const noexcept {}
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::io_read;
    }

private:
    static void on_event(io_waiter* waiter) noexcept {
        detail::wake(*static_cast<readable&>(*waiter).self_);
    }
    detail::reactor_slot& slot_;
    detail::runnable* self_ = nullptr;
};

coro<> reads(stage& s, detail::reactor_slot& slot, detail::time_point& arrived) {
    co_await readable{slot};
    arrived = s.runtime.now();
}

/// A task that yields, in the background: the share of the time that its runs have had, and the
/// longest pause.
struct background_share {
    nanoseconds run;
    nanoseconds had{};
    nanoseconds longest_pause{};
};

coro<> works_in_background(stage& s, background_share& mine, int rounds) {
    detail::time_point end = s.runtime.now();
    for (int i = 0; i < rounds && !s.is_over; ++i) {
        if (i != 0)
            mine.longest_pause = std::max<nanoseconds>(mine.longest_pause, s.runtime.now() - end);
        s.runtime.spend(mine.run);
        mine.had += mine.run;
        end = s.runtime.now();
        co_await yield();
    }
}

}  // namespace

TEST_CASE("two tasks that wake each other let a third have every fourth turn") {
    stage s{2};
    pair_of_naps both;
    std::vector<task<>> tasks;
    start_pair(s, both, tasks, 10us);
    longest_wait worst;
    task<> third = s.runtime.start(waits_for_its_turn(s, 1000, worst));
    s.runtime.run_until([&] { return third.done(); });
    CHECK(worst.turns == fairness::slot_limit);
    CHECK(worst.time == fairness::slot_limit * 10us);
    s.finish();
}

TEST_CASE("with a single worker two tasks that wake each other wait like any other") {
    stage s{1};
    pair_of_naps both;
    std::vector<task<>> tasks;
    start_pair(s, both, tasks, 10us);
    longest_wait worst;
    task<> third = s.runtime.start(waits_for_its_turn(s, 1000, worst));
    s.runtime.run_until([&] { return third.done(); });
    CHECK(worst.turns == 1);  // there is never more than one of them ready
    s.finish();
}

TEST_CASE("what comes from outside runs within 61 turns beside tasks that are always ready") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    pair_of_naps both;
    std::vector<task<>> tasks;
    start_pair(s, both, tasks, 1us);
    for (int i = 0; i < 5; ++i) tasks.push_back(s.runtime.start(yields_on(s, 3us)));
    longest_wait worst;
    for (unsigned i = 0; i < 3 * fairness::look_interval; ++i) {
        task<> injected = s.runtime.inject(notes_its_wait(s, stop_watch{s}, worst));
        s.runtime.run_until([&] { return injected.done(); });
        for (unsigned n = 0; n < i % fairness::look_interval; ++n) s.runtime.turn();
    }
    CHECK(worst.turns == fairness::look_interval - 1);
    CHECK(worst.time <= fairness::look_interval * 3us);
    s.finish();
}

TEST_CASE("a due timer runs after 20 us, 61 turns and what was ready before it") {
    const auto workers = GENERATE(1u, 2u);
    const nanoseconds run = GENERATE(100ns, 1us, 7us, 100us);
    constexpr int others = 5;
    stage s{workers};
    std::vector<task<>> tasks;
    for (int i = 0; i < others; ++i) tasks.push_back(s.runtime.start(yields_on(s, run)));
    nanoseconds latest{};
    task<> sleeper = s.runtime.start(sleeps(s, 500, latest));
    s.runtime.run_until([&] { return sleeper.done(); });
    const nanoseconds bound = fairness::poll_interval + (fairness::look_interval + others) * run;
    CHECK(latest <= bound);
    CHECK(latest >= bound / 2);  // the bound says something
    s.finish();
}

TEST_CASE("a ready descriptor is served after 20 us, 61 turns and what was ready before it") {
    const auto workers = GENERATE(1u, 2u);
    const nanoseconds run = GENERATE(100ns, 1us, 100us);
    constexpr int others = 5;
    stage s{workers};
    std::vector<task<>> tasks;
    for (int i = 0; i < others; ++i) tasks.push_back(s.runtime.start(yields_on(s, run)));
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const detail::unique_fd in{ends[0]};
    const detail::unique_fd out{ends[1]};
    auto slot = s.runtime.worker().reactor().add(in.get());
    REQUIRE(slot.has_value());
    nanoseconds latest{};
    for (unsigned i = 0; i < 200; ++i) {
        detail::time_point arrived{};
        task<> reader = s.runtime.start(reads(s, **slot, arrived));
        for (unsigned n = 0; n < 100 + i; ++n) s.runtime.turn();
        CHECK_FALSE(reader.done());
        REQUIRE(write(out.get(), "x", 1) == 1);
        const detail::time_point sent = s.runtime.now();
        s.runtime.run_until([&] { return reader.done(); });
        latest = std::max(latest, nanoseconds{arrived - sent});
        char byte = 0;
        REQUIRE(read(in.get(), &byte, 1) == 1);
    }
    const nanoseconds bound = fairness::poll_interval + (fairness::look_interval + others) * run;
    CHECK(latest <= bound);
    CHECK(latest >= bound / 2);
    detail::reactor_shard::close(**slot, [](detail::io_waiter* waiter) { waiter->wake(waiter); });
    detail::reactor_shard::remove(**slot, in.get());
    s.finish();
}

TEST_CASE("a burst of forks ends after 1024 children when something is ready") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    std::vector<task<>> tasks;
    tasks.push_back(s.runtime.start(forks_on(s, 10ns)));
    longest_wait worst;
    task<> beside = s.runtime.start(waits_for_its_turn(s, 300, worst));
    s.runtime.run_until([&] { return beside.done(); });
    // Of two children one begins in its parent's place.
    CHECK(worst.children <= 2 * fairness::forks_per_look + 2);
    CHECK(worst.children >= fairness::forks_per_look);
    CHECK(worst.turns <= 2);
    s.finish();
}

TEST_CASE("children that suspend at once do not keep a ready task waiting") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    std::vector<task<>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(s.runtime.start(forks_once(s, 20'000, 1us)));
    longest_wait worst;
    task<> last = s.runtime.start(notes_its_wait(s, stop_watch{s}, worst));
    s.finish();
    CHECK(worst.turns <= 5 * fairness::longest_round);
}

TEST_CASE("short bursts of forks count together") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    task<> forks = s.runtime.start(forks_short_bursts(s, 200, 1us));
    longest_wait worst;
    task<> beside = s.runtime.start(notes_its_wait(s, stop_watch{s}, worst));
    s.finish();
    CHECK(s.children == 200 * 800);
    CHECK(worst.children <= 2 * 2 * (fairness::forks_per_look + 1));
}

TEST_CASE("latency tasks that fork keep a normal task waiting for two bursts") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    for (int i = 0; i < 20; ++i) s.runtime.start(forks_and_yields_on(s, 10ns), at_latency);
    longest_wait worst;
    task<> normal = s.runtime.start(waits_for_its_turn(s, 100, worst));
    s.runtime.run_until([&] { return normal.done(); });
    // Of two children one begins in its parent's place.
    CHECK(worst.children <= 2 * 2 * (fairness::forks_per_look + 1));
    CHECK(worst.turns <= fairness::longest_round);
    s.finish();
}

TEST_CASE("latency tasks that are always ready leave others one turn in 17") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    std::vector<task<>> tasks;
    for (int i = 0; i < 3; ++i) {
        tasks.push_back(s.runtime.start(yields_on(s, 5us), at_latency));
    }
    longest_wait worst;
    task<> normal = s.runtime.start(waits_for_its_turn(s, 500, worst));
    s.runtime.run_until([&] { return normal.done(); });
    CHECK(worst.turns == fairness::latency_limit);
    CHECK(worst.time == fairness::latency_limit * 5us);
    s.finish();
}

TEST_CASE("a background task has its share of the time whatever its runs take") {
    const nanoseconds run = GENERATE(1us, 100us, 10'000us);
    const bool with_strangers = GENERATE(false, true);
    const nanoseconds others = run < 1ms ? 10us : 100us;
    const int rounds = run < 1ms ? 200 : 5;
    stage s{GENERATE(1u, 2u)};
    std::vector<task<>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(s.runtime.start(yields_on(s, others)));
    background_share share{.run = run};
    const detail::time_point begin = s.runtime.now();
    task<> work = s.runtime.start(works_in_background(s, share, rounds), in_background);
    longest_wait injected;
    for (int looks_left = 100'000; !work.done(); --looks_left) {
        if (looks_left == 0) FAIL("the background starves");
        if (with_strangers) s.runtime.inject(notes_its_wait(s, stop_watch{s}, injected));
        for (unsigned i = 0; i < fairness::look_interval; ++i) s.runtime.turn();
    }
    const nanoseconds elapsed = s.runtime.now() - begin;
    const nanoseconds pause =
        std::min<nanoseconds>(fairness::background_share * run, fairness::longest_background_pause);
    const nanoseconds looks = (with_strangers ? 2 : 1) * fairness::look_interval * others;
    CHECK(share.longest_pause <= pause + looks);
    CHECK(share.longest_pause >= pause);
    CHECK(share.had * (run + pause + looks).count() >= elapsed * run.count());
    s.finish();
}

TEST_CASE("what comes from outside and the background take turns at the looks") {
    stage s{GENERATE(1u, 2u)};
    for (int i = 0; i < 3; ++i) s.runtime.start(yields_on(s, 1us));
    // Due again long before the next look, each time.
    background_share share{.run = 1ns};
    s.runtime.start(works_in_background(s, share, 1'000'000), in_background);
    longest_wait worst;
    for (unsigned i = 0; i < 200; ++i) {
        task<> injected = s.runtime.inject(notes_its_wait(s, stop_watch{s}, worst));
        s.runtime.run_until([&] { return injected.done(); }, 10'000);
        for (unsigned n = 0; n < i; ++n) s.runtime.turn();
    }
    CHECK(worst.turns == 2 * fairness::look_interval - 1);
    CHECK(share.longest_pause <= 2 * fairness::look_interval * 1us);
    s.finish();
}
