// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What a thief takes first: forks before what is in the background, also where another thief has
// the turn; and the longer ready queues near it, most of the time, before anything else.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "sched/runtime_core.hpp"
#include "support/catch.hpp"
#include "support/missed_calls.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_near.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/runtime.hpp"

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

constexpr task_options in_background{.priority = priority::background};

/// The turn of those who steal forks, as if a thief had it and no core.
class kept_turn {
public:
    kept_turn() : turn_(this_core().fork_thief) {
        while (!turn_.try_take()) std::this_thread::yield();
    }
    kept_turn(const kept_turn&) = delete;
    kept_turn& operator=(const kept_turn&) = delete;
    ~kept_turn() { turn_.give_back(); }

private:
    detail::thief_turn<detail::real_environment>& turn_;
};

template <class Condition>
void keep_until(Condition is_so) {
    const stopwatch watch;
    while (!is_so() && watch.elapsed() < soon) std::this_thread::yield();
}

coro<> logs(event_log& log, std::string line) {
    log.add(std::move(line));
    co_return;
}

/// A fork and a background task lie at a kept worker, whose peer wakes up then.
coro<> offers_both(event_log& log) {
    missed_calls calls;
    const kept_turn kept;
    task<> spare;
    const auto keeps = [&]() -> coro<> {
        spare = create_task(logs(log, "background"), in_background);
        calls.end();
        this_core().notify_one();
        keep_until([&] { return log.lines().size() == 2; });
        co_return;
    };
    co_await when_all(keeps(), logs(log, "fork"));
    co_await spare;
}

/// In the background: leaves another such task behind once `may_go`, and no more is due for long.
coro<> leaves_more(event_log& log, std::atomic<bool>& runs, std::atomic<bool>& may_go,
                   task<>& more) {
    runs = true;
    keep_until([&] { return may_go.load(); });
    more = create_task(logs(log, "background"), in_background);
    const stopwatch watch;
    while (watch.elapsed() < 8ms) {
    }
    co_return;
}

coro<> forks_beside_background(event_log& log) {
    std::atomic<bool> runs{false};
    std::atomic<bool> may_go{false};
    task<> more;
    task<> first = create_task(leaves_more(log, runs, may_go, more), in_background);
    keep_until([&] { return runs.load(); });
    const kept_turn kept;
    const auto keeps = [&]() -> coro<> {
        may_go = true;
        keep_until([&] { return log.lines().size() == 2; });
        co_return;
    };
    co_await when_all(keeps(), logs(log, "fork"));
    co_await first;
    co_await more;
}

/// Two workers are kept, one with a fork and one with two ready tasks; a third one comes.
class two_kept_workers {
public:
    coro<> has_fork() {
        all_are_here();
        co_await when_all(keeps(), takes('f'));
    }
    coro<> has_ready_tasks() {
        all_are_here();
        task<> one = create_task(takes('r'));
        task<> other = create_task(takes('r'));
        co_await keeps();
        co_await one;
        co_await other;
    }
    coro<> comes() {
        all_are_here();
        keep_until([&] { return set_up_ == 2; });
        co_return;
    }
    [[nodiscard]] char first() const { return first_; }

private:
    void all_are_here() {
        ++here_;
        keep_until([&] { return here_ == 3; });
    }
    coro<> keeps() {
        ++set_up_;
        keep_until([&] { return first_ != 0; });
        co_return;
    }
    coro<> takes(char which) {
        char none = 0;
        first_.compare_exchange_strong(none, which);
        co_return;
    }

    std::atomic<int> here_{0};
    std::atomic<int> set_up_{0};
    std::atomic<char> first_{0};
};

}  // namespace

TEST_CASE("a thief whose turn it is not leaves the background for forks", "[sched][search]") {
    on_workers({2}, [](unsigned workers) {
        event_log log;
        run(offers_both(log), {.workers = workers, .slow_run = 0ms, .rescue_workers = 0});
        CHECK(log.lines() == lines{"fork", "background"});
    });
}

TEST_CASE("one with only background work needs no turn for a peer's forks", "[sched][search]") {
    on_workers({2}, [](unsigned workers) {
        event_log log;
        run(forks_beside_background(log),
            {.workers = workers, .slow_run = 0ms, .rescue_workers = 0});
        CHECK(log.lines() == lines{"fork", "background"});
    });
}

TEST_CASE("long ready queues nearby come first, seven times in eight", "[sched][search]") {
    on_workers({3}, [](unsigned workers) {
        runtime r =
            runtime_near(caches::one, {.workers = workers, .slow_run = 0ms, .rescue_workers = 0});
        constexpr int rounds = 200;
        int ready_first = 0;
        for (int round = 0; round < rounds; ++round) {
            two_kept_workers kept;
            task<> forks = r.spawn(kept.has_fork());
            task<> queues = r.spawn(kept.has_ready_tasks());
            task<> comes = r.spawn(kept.comes());
            keep_until([&] { return forks.done() && queues.done() && comes.done(); });
            REQUIRE(kept.first() != 0);
            if (kept.first() == 'r') ++ready_first;
        }
        // Without a look nearby at most two times in three, by where the round begins.
        CHECK(ready_first > rounds * 8 / 10);
        CHECK(ready_first < rounds);
    });
}
