// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// wait and shield: the end of a task against a time limit, a cancellation and a second waiter.
#include "weft/combine/wait.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"
#include "weft/combine/shield.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dice = std::minstd_rand;

struct tally {
    explicit tally(bool with_cancellers) : cancels(with_cancellers) {}
    const bool cancels;
    std::atomic<unsigned> begun{0};
    std::atomic<long> waits{0};
    std::atomic<long> outcomes{0};
    std::atomic<long> cancellations{0};
    std::atomic<long> wrong{0};
};

coro<int> slow_or_quick(unsigned roll) {
    if (roll % 4 == 1) co_await yield();
    if (roll % 4 == 2) co_await sleep(std::chrono::microseconds{30 + roll % 60});
    if (roll % 7 == 0) throw std::runtime_error("child");
    co_return static_cast<int>(roll % 100);
}

/// Whatever is asked of the task that awaits this.
coro<> outlasts(any_task t) {
    while (!t.done()) {
        try {
            co_await yield();
        } catch (const cancelled&) {
            continue;
        }
    }
}

/// Asks `target` to stop at about the time at which a quick task ends.
coro<> asks(any_task target, unsigned roll) {
    if (roll % 2 == 1) co_await yield();
    if (roll % 5 == 2) co_await sleep(std::chrono::microseconds{30 + roll % 60});
    target.cancel();
}

any_task canceller(const tally& t, unsigned roll) {
    if (!t.cancels) return current_task();
    return create_task(asks(current_task(), roll));
}

/// A second task that waits for the same tasks, in another way.
coro<> waits_too(std::vector<task<int>> tasks) {
    co_await wait(std::move(tasks), {.return_when = return_when::first_exception});
}

std::optional<std::chrono::microseconds> limit_at_random(dice& d) {
    const auto roll = d();
    if (roll % 3 == 0) return std::nullopt;
    return std::chrono::microseconds{roll % 120};
}

/// What a wait reports must be what it was asked for.
bool is_plausible(const wait_result<task<int>>& result, std::size_t given, bool is_limited,
                  return_when when) {
    for (const task<int>& t : result.done) {
        if (!t.done()) return false;
    }
    if (result.done.size() + result.pending.size() != given) return false;
    if (is_limited || result.pending.empty()) return true;
    if (when == return_when::first_completed) return !result.done.empty();
    const auto failed = [](const task<int>& t) { return !t.cancelled() && t.exception(); };
    return when == return_when::first_exception && std::ranges::any_of(result.done, failed);
}

/// Counts what nobody asked these to do.
void look_at(const std::vector<task<int>>& tasks, tally& t) {
    for (const task<int>& each : tasks) {
        if (each.cancelling() != 0) ++t.wrong;
        if (each.done()) static_cast<void>(outcome_of(each));
    }
}

coro<> waits_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    ++t.begun;
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        std::vector<task<int>> tasks;
        const auto width = 1 + d() % 4;
        for (unsigned n = 0; n < width; ++n) {
            tasks.push_back(create_task(slow_or_quick(static_cast<unsigned>(d()))));
        }
        const task<> second = create_task(waits_too(tasks));
        const any_task asking = canceller(t, static_cast<unsigned>(d()));
        const auto limit = limit_at_random(d);
        const auto when = static_cast<return_when>(d() % 3);
        ++t.waits;
        try {
            const wait_result<task<int>> result =
                co_await wait(tasks, {.timeout = limit, .return_when = when});
            if (!is_plausible(result, tasks.size(), limit.has_value(), when)) ++t.wrong;
            ++t.outcomes;
        } catch (const cancelled&) {
            ++t.cancellations;
        }
        co_await outlasts(second);
        if (t.cancels) co_await outlasts(asking);
        for (const task<int>& each : tasks) co_await outlasts(each);
        look_at(tasks, t);
    }
}

coro<> shields_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    ++t.begun;
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        const auto roll = static_cast<unsigned>(d());
        const task<int> inner = create_task(slow_or_quick(roll));
        const any_task asking = canceller(t, static_cast<unsigned>(d()));
        ++t.waits;
        try {
            const int value = co_await shield(inner);
            if (value != static_cast<int>(roll % 100)) ++t.wrong;
            ++t.outcomes;
        } catch (const std::runtime_error&) {
            ++t.outcomes;
        } catch (const cancelled&) {
            ++t.cancellations;
        }
        if (inner.cancelling() != 0) ++t.wrong;
        co_await outlasts(inner);
        if (t.cancels) co_await outlasts(asking);
        static_cast<void>(outcome_of(inner));
    }
}

coro<> waits_for_all(std::vector<task<>>& tasks) {
    for (task<>& t : tasks) co_await ended(t);
    while (all_tasks().size() > 1) co_await yield();
}

using body = coro<> (*)(tally&, dice::result_type, std::size_t);

/// Four tasks; if they are cancelled, then by other tasks, and from a foreign thread, at random and
/// again and again.
void races(body what, unsigned workers, std::size_t rounds, bool cancels) {
    tally t{cancels};
    {
        runtime r{{.workers = workers}};
        std::vector<task<>> tasks;
        for (unsigned i = 0; i < 4; ++i) {
            const auto random = static_cast<dice::result_type>(seed() + i);
            tasks.push_back(r.spawn(what(t, random | 1, rounds)));
        }
        std::atomic<bool> enough{!cancels};
        std::thread canceller{[&] {
            dice d{static_cast<dice::result_type>(seed()) | 1};
            while (t.begun < tasks.size()) std::this_thread::yield();
            while (!enough) {
                tasks[d() % tasks.size()].cancel();
                for (auto n = d() % 20'000; n > 0; --n) detail::real_environment::relax();
            }
        }};
        r.block_on(waits_for_all(tasks));
        enough = true;
        canceller.join();
    }
    CHECK(t.wrong == 0);
    CHECK(t.waits == static_cast<long>(4 * rounds));
    CHECK(t.outcomes + t.cancellations == t.waits);
    if (!cancels) CHECK(t.cancellations == 0);
}

}  // namespace

TEST_CASE("waits that race with limits and second waiters") {
    on_workers(multi, [](unsigned workers) {
        races(&waits_at_random, workers, stress_iterations(500), false);
    });
}

TEST_CASE("waits that are cancelled at random") {
    on_workers(multi, [](unsigned workers) {
        races(&waits_at_random, workers, stress_iterations(400), true);
    });
}

TEST_CASE("shields that race with ends and are cancelled at random") {
    const bool cancels = GENERATE(false, true);
    on_workers(multi, [cancels](unsigned workers) {
        races(&shields_at_random, workers, stress_iterations(2'000), cancels);
    });
}
