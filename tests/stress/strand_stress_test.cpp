// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// post, run, create_task and cancel against each other on a few strands, from tasks and from a
// foreign thread: everything that was not cancelled runs once and alone, and each poster's own
// callables run in its order. What each task does follows from the seed, which is printed.

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/seed.hpp"
#include "weft/weft.hpp"

namespace {

using namespace weft;

constexpr unsigned strands = 3;
constexpr unsigned visitors = 8;

/// What only the strand's jobs touch: plain fields, so that ThreadSanitizer sees an overlap too.
struct guarded {
    explicit guarded(runtime& home) : lane(home), last(visitors + 1) {}
    void post(unsigned poster, std::uint64_t number) {
        ++posted;
        lane.post([this, poster, number] {
            enter();
            if (number <= last[poster]) ++disorder;
            last[poster] = number;
            --inside;
            ++ran;
        });
    }
    void enter() {
        if (++inside != 1) ++overlaps;
    }

    strand lane;
    int inside = 0;
    std::uint64_t overlaps = 0;
    std::uint64_t disorder = 0;
    std::uint64_t ran = 0;
    std::vector<std::uint64_t> last;
    std::atomic<std::uint64_t> posted{0};
};

struct shared_state {
    explicit shared_state(runtime& home) {
        for (unsigned i = 0; i < strands; ++i) all.push_back(std::make_unique<guarded>(home));
    }
    std::vector<std::unique_ptr<guarded>> all;
    std::atomic<std::uint64_t> wrong{0};
};

coro<int> stays(guarded* here, unsigned rounds) {
    here->enter();
    int leaves = 1;
    try {
        for (unsigned i = 0; i < rounds; ++i) co_await yield();
    } catch (const cancelled&) {
        leaves = 0;
    }
    --here->inside;
    ++here->ran;
    if (leaves == 0) throw cancelled();
    co_return leaves;
}

coro<int> visits(guarded* here, unsigned rounds) {
    co_return co_await here->lane.run(stays(here, rounds));
}

coro<> cancels(any_task target) {
    target.cancel("race");
    co_return;
}

/// Awaits a task that was perhaps cancelled, by another task or at once.
coro<> ends(task<int> t, unsigned how, shared_state* state) {
    if (how == 1) create_task(cancels(t));
    if (how == 2) t.cancel("at once");
    try {
        const int value = co_await t;
        if (value != 1) ++state->wrong;
    } catch (const cancelled&) {
        if (how != 1 && how != 2) ++state->wrong;
    }
}

coro<> visitor(shared_state* state, unsigned self, std::uint64_t seed, std::uint64_t rounds) {
    std::mt19937_64 random{seed};
    for (std::uint64_t i = 1; i <= rounds; ++i) {
        guarded* here = state->all[random() % strands].get();
        const auto how = static_cast<unsigned>(random() % 6);
        const auto stay = static_cast<unsigned>(random() % 3);
        switch (random() % 5) {
            case 0:
                co_await ends(here->lane.create_task(stays(here, stay)), how, state);
                break;
            case 1:
                co_await ends(create_task(visits(here, stay)), how, state);
                break;
            case 2:
                here->lane.create_task(stays(here, stay));
                break;
            default:
                here->post(self, i);
                break;
        }
    }
}

coro<> everybody(shared_state* state, std::uint64_t seed, std::uint64_t rounds) {
    std::vector<task<>> all;
    for (unsigned i = 0; i < visitors; ++i) {
        all.push_back(create_task(visitor(state, i, seed + i, rounds)));
    }
    for (task<>& t : all) co_await t;
}

coro<std::uint64_t> faults(shared_state* state) {
    std::uint64_t sum = state->wrong;
    for (auto& each : state->all) {
        guarded* here = each.get();
        sum += co_await here->lane.run([here] { return here->overlaps + here->disorder; });
    }
    co_return sum;
}

}  // namespace

TEST_CASE("post, run, create_task and cancel race on strands and nothing is lost") {
    test::on_workers({1, 2, 4}, [](unsigned workers) {
        runtime home{{.workers = workers}};
        shared_state state{home};
        const std::uint64_t rounds = test::stress_iterations(2000);
        {
            std::jthread outside{[&] {
                for (std::uint64_t i = 1; i <= rounds; ++i) {
                    state.all[i % strands]->post(visitors, i);
                    if (i % 16 == 0) std::this_thread::yield();
                }
            }};
            home.block_on(everybody(&state, test::seed() + workers, rounds));
        }
        CHECK(home.block_on(faults(&state)) == 0);
        home.close();
        for (auto& each : state.all) {
            CHECK(each->ran >= each->posted);
            CHECK(each->inside == 0);
        }
    });
}

TEST_CASE("strands that are made, used and dropped by many tasks leave nothing behind") {
    test::on_workers({1, 2, 4}, [](unsigned workers) {
        std::atomic<std::uint64_t> ran{0};
        const std::uint64_t rounds = test::stress_iterations(3000);
        auto body = [&]() -> coro<> {
            for (std::uint64_t i = 0; i < rounds; ++i) {
                const strand s;
                auto other = create_task(
                    [](strand same, std::atomic<std::uint64_t>* count) -> coro<> {
                        same.post([count] { ++*count; });
                        co_await same.run([count] { ++*count; });
                    },
                    s, &ran);
                s.post([&ran] { ++ran; });
                co_await s.run([&ran] { ++ran; });
                if (i % 2 == 0) co_await other;
            }
        };
        {
            runtime home{{.workers = workers}};
            home.block_on(body());
        }
        // A task that close() cancels may not have posted.
        CHECK(ran >= 3 * rounds);
    });
}
