// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_any with children that give values, fail and stop at random, and parents that are cancelled
// from a foreign thread.
#include "weft/combine/when_any.hpp"

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

struct tally {
    std::atomic<long> begun{0};  // tasks that may be cancelled
    std::atomic<long> inside{0};
    std::atomic<long> wrong{0};
    std::atomic<long> awaits{0};
    std::atomic<long> values{0};
    std::atomic<long> errors{0};
    std::atomic<long> cancellations{0};
};

coro<unsigned> child(tally& t, unsigned number, unsigned roll) {
    ++t.inside;
    scope_exit leaving{[&t] { --t.inside; }};
    if (roll % 4 == 1) co_await yield();
    if (roll % 4 == 2) co_await sleep(std::chrono::microseconds{roll % 100});
    if (roll % 4 == 3) {
        auto inner = co_await when_all(coro_sleep(std::chrono::microseconds{roll % 50}),
                                       coro_sleep(std::chrono::microseconds{roll % 70}));
        static_cast<void>(inner);
    }
    if (roll % 11 == 0) throw std::runtime_error("child");
    if (roll % 13 == 0) throw cancelled{};
    co_return number;
}

coro<> one_await(tally& t, dice& d) {
    ++t.awaits;
    std::vector<coro<unsigned>> children;
    for (auto n = 1 + d() % 6; n > 0; --n) {
        auto number = static_cast<unsigned>(children.size());
        children.push_back(child(t, number, static_cast<unsigned>(d())));
    }
    try {
        if (d() % 2 == 0) {
            auto first = co_await when_any(std::move(children));
            if (first.index != first.value) ++t.wrong;
        } else {
            auto first = co_await when_any(child(t, 0, static_cast<unsigned>(d())),
                                           child(t, 1, static_cast<unsigned>(d())),
                                           child(t, 2, static_cast<unsigned>(d())));
            unsigned value = std::visit([](unsigned v) { return v; }, first.value);
            if (first.index != value || first.index != first.value.index()) ++t.wrong;
        }
        ++t.values;
    } catch (const std::runtime_error&) {
        ++t.errors;
    } catch (const cancelled&) {
        ++t.cancellations;
    }
}

coro<> awaits_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    ++t.begun;
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) co_await one_await(t, d);
}

coro<> waits_for(std::vector<task<>>& tasks) {
    for (task<>& each : tasks) co_await ended(each);
}

void run_awaits(unsigned workers, bool cancels) {
    tally t;
    const std::size_t rounds = stress_iterations(1'500);
    runtime r{{.workers = workers}};
    std::vector<task<>> tasks;
    for (unsigned i = 0; i < 4; ++i) {
        auto random = static_cast<dice::result_type>(seed() + i);
        tasks.push_back(r.spawn(awaits_at_random(t, random | 1, rounds)));
    }
    std::atomic<bool> enough{!cancels};
    std::thread foreign{[&] {
        dice d{static_cast<dice::result_type>(seed()) | 1};
        while (t.begun != 4) std::this_thread::yield();
        while (!enough) {
            tasks[d() % tasks.size()].cancel();
            for (auto n = d() % 5'000; n > 0; --n) detail::real_environment::relax();
        }
    }};
    r.block_on(waits_for(tasks));
    enough = true;
    foreign.join();
    r.close();
    CHECK(t.awaits == static_cast<long>(4 * rounds));
    CHECK(t.values + t.errors + t.cancellations == t.awaits);
    CHECK(t.values > 0);
    CHECK(t.wrong == 0);
    CHECK(t.inside == 0);
}

}  // namespace

TEST_CASE("when_any at random") {
    on_workers(multi, [](unsigned workers) { run_awaits(workers, false); });
}

TEST_CASE("when_any in tasks that are cancelled from a foreign thread") {
    on_workers(multi, [](unsigned workers) { run_awaits(workers, true); });
}
