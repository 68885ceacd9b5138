// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// What the tests of fairness have in common: tasks that keep a driven runtime busy, and how long
// others wait beside them, in turns, in time and in forked children.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/driven_runtime.hpp"

namespace weft::test {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

inline constexpr task_options at_latency{.priority = priority::latency};
inline constexpr task_options in_background{.priority = priority::background};

/// What the tasks of one test share.
struct stage {
    explicit stage(unsigned workers) : runtime(workers) {}
    driven_runtime runtime;
    bool is_over = false;
    std::uint64_t children = 0;  // that began so far, or rounds of something else

    /// For tasks that may keep their worker, and with it this test, for ever if a rule is broken.
    [[nodiscard]] bool goes_on() const { return !is_over && children < 10'000'000; }

    void finish() {
        is_over = true;
        runtime.run_until([&] { return runtime.live_tasks() == 0; });
    }
};

/// From the moment at which a task is ready to its run: runs of others, and time.
struct longest_wait {
    std::uint64_t turns = 0;
    nanoseconds time{};
    std::uint64_t children = 0;

    void raise_to(const longest_wait& other) {
        turns = std::max(turns, other.turns);
        time = std::max(time, other.time);
        children = std::max(children, other.children);
    }
};

class stop_watch {
public:
    explicit stop_watch(const stage& s)
        : turns_(s.runtime.turns()), time_(s.runtime.now()), children_(s.children) {}
    /// In the run that was waited for.
    [[nodiscard]] longest_wait stop(const stage& s) const {
        return {s.runtime.turns() - turns_ - 1, s.runtime.now() - time_, s.children - children_};
    }

private:
    std::uint64_t turns_;
    detail::time_point time_;
    std::uint64_t children_;
};

inline coro<> yields_on(stage& s, nanoseconds run) {
    while (!s.is_over) {
        s.runtime.spend(run);
        co_await yield();
    }
}

/// Suspends until somebody takes the runnable out of `place` and wakes it.
class nap final : public detail::operation {
public:
    explicit nap(detail::runnable*& place) noexcept : place_(place) {}
    nap(const nap&) = delete;
    nap& operator=(const nap&) = delete;
    bool await_ready() const noexcept { return false; }
    template <detail::weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        detail::runnable& self = caller.promise().current();
        self.resume_point = caller;
        self.operation = this;
        place_ = &self;
        return detail::commit_suspend(self);
    }
    void await_resume() const noexcept {}
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::event;
    }

private:
    detail::runnable*& place_;
};

inline void wake_if_any(detail::runnable*& place) {
    if (place != nullptr) detail::wake(*std::exchange(place, nullptr));
}

/// Two of these wake each other for ever, each through the run-next slot.
struct pair_of_naps {
    std::array<detail::runnable*, 2> asleep{};
};

inline coro<> plays(stage& s, pair_of_naps& both, std::size_t me, nanoseconds run) {
    while (!s.is_over) {
        s.runtime.spend(run);
        wake_if_any(both.asleep[1 - me]);
        if (!s.is_over) co_await nap{both.asleep[me]};
    }
    wake_if_any(both.asleep[1 - me]);
}

inline void start_pair(stage& s, pair_of_naps& both, std::vector<task<>>& tasks, nanoseconds run) {
    for (std::size_t i : {0u, 1u}) tasks.push_back(s.runtime.start(plays(s, both, i, run)));
}

inline coro<> child(stage& s, nanoseconds run) {
    ++s.children;
    s.runtime.spend(run);
    co_return;
}

/// Forks two children at a time. The first runs in its parent's place, the second is taken back
/// from the deque, and counts.
inline coro<> forks_on(stage& s, nanoseconds run) {
    while (s.goes_on()) co_await when_all(child(s, run), child(s, run));
}

/// Notes how late it was at most.
inline coro<> sleeps(stage& s, int rounds, nanoseconds& latest) {
    for (int i = 0; i < rounds; ++i) {
        const detail::time_point due = s.runtime.now() + 1us + i * 1371ns;
        co_await sleep_until(due);
        CHECK(s.runtime.now() >= due);
        latest = std::max(latest, nanoseconds{s.runtime.now() - due});
    }
}

inline coro<> waits_for_its_turn(stage& s, int rounds, longest_wait& worst) {
    for (int i = 0; i < rounds; ++i) {
        const stop_watch watch{s};
        co_await yield();
        worst.raise_to(watch.stop(s));
    }
}

}  // namespace weft::test
