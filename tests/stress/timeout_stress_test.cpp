// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Time limits against the end of what their bodies await, against being moved, and against requests
// of others. The bodies change workers all the time.
#include "weft/time/with_timeout.hpp"

#include <atomic>
#include <random>
#include <stdexcept>
#include <thread>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dice = std::minstd_rand;

coro<int> slow_or_quick(unsigned roll) {
    if (roll % 3 == 0) co_await yield();
    if (roll % 3 == 1) co_await sleep(std::chrono::microseconds{40 + roll % 40});
    co_return 1;
}

coro<> awaits_under_limit(task<int> shared) {
    try {
        co_await shared;
    } catch (const cancelled&) {
        throw;
    }
}

coro<> expiries(dice::result_type random, std::size_t rounds, std::atomic<long>& outcomes) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        auto roll = static_cast<unsigned>(d());
        task<int> inner = create_task(slow_or_quick(roll));
        try {
            co_await with_timeout(std::chrono::microseconds{60}, awaits_under_limit(inner));
            ++outcomes;
        } catch (const timeout_error&) {
            ++outcomes;
            if (!inner.done()) throw std::logic_error("the awaited task outlived the limit");
        } catch (const cancelled&) {
            // Someone else's request for `inner` cannot be: nobody else has it.
            throw std::logic_error("a limit came out as a cancellation");
        }
        if (current_task().cancelling() != 0) throw std::logic_error("a request leaked");
    }
}

coro<> all_expiries(std::atomic<long>& outcomes, std::size_t rounds) {
    std::vector<task<>> tasks;
    for (unsigned i = 0; i < 8; ++i) {
        auto random = static_cast<dice::result_type>(seed() + i);
        tasks.push_back(create_task(expiries(random | 1, rounds, outcomes)));
    }
    co_await gather(std::move(tasks));
}

/// Moves its limit to and fro about when it expires. It never swallows a cancellation, so whoever
/// gets as far as to move the limit may do so.
coro<int> moves_its_limit(timeout_scope& limit, dice::result_type random) {
    dice d{random};
    for (int i = 0; i < 6; ++i) {
        const auto roll = static_cast<unsigned>(d());
        if (roll % 4 == 0) co_await yield();
        if (roll % 4 == 1) co_await sleep(std::chrono::microseconds{roll / 4 % 60});
        if (roll % 4 == 2) {
            for (unsigned n = roll / 4 % 3000; n > 0; --n) detail::real_environment::relax();
        }
        if (limit.expired()) throw std::logic_error("the body goes on although it was stopped");
        if (roll / 256 % 8 == 0)
            limit.reschedule(std::nullopt);
        else
            limit.reschedule(std::chrono::microseconds{roll / 256 % 60});
    }
    co_return 1;
}

coro<> moved_limits(dice::result_type random, std::size_t rounds, std::atomic<long>& outcomes) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        timeout_scope limit{std::chrono::microseconds{40}};
        bool in_time = false;
        try {
            static_cast<void>(co_await with_timeout(limit, moves_its_limit(limit, d())));
            in_time = true;
        } catch (const timeout_error&) {
        }
        ++outcomes;
        if (limit.expired() == in_time) throw std::logic_error("a limit that tells a lie");
        if (current_task().cancelling() != 0) throw std::logic_error("a request leaked");
        co_await yield();  // one that leaked would be delivered here
    }
}

coro<> all_moved_limits(std::atomic<long>& outcomes, std::size_t rounds) {
    std::vector<task<>> tasks;
    for (unsigned i = 0; i < 8; ++i) {
        auto random = static_cast<dice::result_type>(seed() + i);
        tasks.push_back(create_task(moved_limits(random | 1, rounds, outcomes)));
    }
    co_await gather(std::move(tasks));
}

/// Limits of which some are moved, in a task that others ask to stop and that does not.
coro<> limits_under_fire(dice::result_type random, std::size_t rounds, std::atomic<bool>& over) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        timeout_scope outer{std::chrono::microseconds{60}};
        timeout_scope inner{std::chrono::microseconds{static_cast<unsigned>(d()) % 80}};
        const auto nested = [&inner, random]() -> coro<int> {
            co_return co_await with_timeout(inner, moves_its_limit(inner, random));
        };
        try {
            static_cast<void>(co_await with_timeout(outer, nested()));
        } catch (const timeout_error&) {
        } catch (const cancelled&) {
        }
    }
    over = true;
}

coro<std::uint32_t> fires(any_task at, std::atomic<bool>& over, dice::result_type random) {
    dice d{random};
    std::uint32_t accepted = 0;
    while (!over) {
        for (unsigned n = static_cast<unsigned>(d()) % 4000; n > 0; --n)
            detail::real_environment::relax();
        accepted += at.cancel() ? 1 : 0;
        co_await yield();
    }
    co_return accepted;
}

coro<> foreign_requests(std::size_t rounds) {
    std::atomic<bool> over{false};
    const auto random = static_cast<dice::result_type>(seed()) | 1;
    task<> target = create_task(limits_under_fire(random, rounds, over));
    co_await yield();
    task<std::uint32_t> one = create_task(fires(target, over, random + 2));
    task<std::uint32_t> two = create_task(fires(target, over, random + 4));
    const std::uint32_t accepted = co_await one + co_await two;
    co_await ended(target);
    // Each scope has taken back its own request, and nobody else's.
    CHECK(target.cancelling() == accepted);
}

}  // namespace

TEST_CASE("limits that are moved while they expire, by bodies that change workers") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<long> outcomes{0};
        std::size_t rounds = stress_iterations(300);
        run(all_moved_limits(outcomes, rounds), {.workers = workers});
        CHECK(outcomes == static_cast<long>(8 * rounds));
    });
}

TEST_CASE("nested limits in a task that two others ask to stop") {
    on_workers(multi, [](unsigned workers) {
        run(foreign_requests(stress_iterations(1000)), {.workers = workers});
    });
}

TEST_CASE("limits that meet the end of an awaited task") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<long> outcomes{0};
        std::size_t rounds = stress_iterations(500);
        run(all_expiries(outcomes, rounds), {.workers = workers});
        CHECK(outcomes == static_cast<long>(8 * rounds));
    });
}
