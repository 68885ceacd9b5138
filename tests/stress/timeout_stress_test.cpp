// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// with_timeout against the end of what its body awaits.
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

}  // namespace

TEST_CASE("limits that meet the end of an awaited task") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<long> outcomes{0};
        std::size_t rounds = stress_iterations(500);
        run(all_expiries(outcomes, rounds), {.workers = workers});
        CHECK(outcomes == static_cast<long>(8 * rounds));
    });
}
