// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather under random failures and cancellations.
#include "weft/combine/gather.hpp"

#include <atomic>
#include <mutex>
#include <optional>
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
    std::atomic<long> begun{0};
    std::atomic<long> ended{0};
    std::atomic<long> gathers{0};
    std::atomic<long> values{0};
    std::atomic<long> errors{0};
    std::atomic<long> cancellations{0};
};

coro<int> child(tally& t, unsigned roll) {
    ++t.begun;
    scope_exit leaving{[&t] { ++t.ended; }};
    if (roll % 5 == 1) co_await yield();
    if (roll % 5 == 2) co_await sleep(std::chrono::microseconds{roll % 100});
    if (roll % 11 == 0) throw std::runtime_error("child");
    if (roll % 13 == 0) throw cancelled{};
    co_return 1;
}

coro<int> declining_child(tally& t, unsigned roll) {
    ++t.begun;
    const scope_exit leaving{[&t] { ++t.ended; }};
    try {
        if (roll == 1) co_await yield();
        if (roll == 2) co_await sleep(std::chrono::microseconds{20});
    } catch (const cancelled&) {
        co_return 2;
    }
    co_return 1;
}

coro<> gathers_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) {
        std::vector<task<int>> children;
        auto width = d() % 6;
        for (unsigned n = 0; n < width; ++n) {
            children.push_back(create_task(child(t, static_cast<unsigned>(d()))));
        }
        if (!children.empty() && d() % 4 == 0) children.push_back(children.front());
        if (!children.empty() && d() % 8 == 0) children.back().cancel();
        ++t.gathers;
        try {
            if (d() % 2 == 0) {
                std::vector<int> values = co_await gather(std::move(children));
                t.values += static_cast<long>(values.size()) >= static_cast<long>(width) ? 1 : 0;
            } else {
                auto outcomes = co_await gather_settled(std::move(children));
                t.values += static_cast<long>(outcomes.size()) >= static_cast<long>(width) ? 1 : 0;
            }
        } catch (const std::runtime_error&) {
            ++t.errors;
        } catch (const cancelled&) {
            ++t.cancellations;
        }
    }
}

coro<> cancels_by_handle(gather_handle handle, unsigned roll, std::atomic<bool>& accepted) {
    if (roll % 3 == 1) co_await yield();
    if (roll % 3 == 2) co_await sleep(std::chrono::microseconds{roll % 60});
    accepted = handle.cancel();
}

/// A gather in windows, or a settling one, that ends while it is cancelled by its handle: it ends
/// cancelled if and only if the handle says that a child took the request.
coro<long> handles_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    dice d{random};
    long wrong = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
        std::vector<coro<int>> children;
        for (unsigned n = 0; n < 4; ++n) children.push_back(declining_child(t, d() % 8));
        std::atomic<bool> accepted{false};
        bool was_cancelled = false;
        auto all = gather_settled({.limit = 1 + d() % 5}, std::move(children));
        const task<> other =
            create_task(cancels_by_handle(all.handle(), static_cast<unsigned>(d()), accepted));
        try {
            const auto outcomes = co_await all;
            if (outcomes.size() != 4) ++wrong;
        } catch (const cancelled&) {
            was_cancelled = true;
        }
        co_await other;
        if (was_cancelled != accepted) ++wrong;
    }
    co_return wrong;
}

/// What a canceller and an observer share.
struct watched_gather {
    std::mutex mutex;
    std::optional<gather_handle> next;  // until the observer takes it
    std::atomic<bool> is_watched{false};
    std::atomic<bool> is_over{false};
};

template <class Gather>
coro<bool> ends_cancelled(Gather all) {
    try {
        co_await all;
    } catch (const cancelled&) {
        co_return true;
    }
    co_return false;
}

/// Who waits for the other thread leaves it the core, where they have one between them.
constexpr auto handover = std::chrono::microseconds{20};

/// A future ends when it is asked to, so the canceller is the last that the gather waits for.
coro<long> cancels_the_last(watched_gather& shared, std::size_t rounds) {
    long wrong = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
        const promise<> never;
        auto all = gather_settled(never.get_future());
        const gather_handle handle = all.handle();
        const task<bool> awaiting = create_task(ends_cancelled(std::move(all)));
        {
            std::lock_guard guard{shared.mutex};
            shared.next = handle;
        }
        while (!shared.is_watched) co_await sleep(handover);
        if (!handle.cancel()) ++wrong;
        const bool was_cancelled = co_await awaiting;
        if (!was_cancelled) ++wrong;
        while (shared.is_watched) co_await sleep(handover);
    }
    shared.is_over = true;
    co_return wrong;
}

/// How many of the gathers were done before they said that they were cancelled.
long watches_gathers(watched_gather& shared) {
    long wrong = 0;
    while (!shared.is_over) {
        std::optional<gather_handle> seen;
        {
            std::lock_guard guard{shared.mutex};
            seen.swap(shared.next);
        }
        if (!seen) {
            std::this_thread::yield();
            continue;
        }
        shared.is_watched = true;
        for (unsigned looks = 1; !seen->done(); ++looks) {
            if (looks % 4'096 == 0) std::this_thread::yield();
            detail::real_environment::relax();
        }
        if (seen->exception() == nullptr) ++wrong;
        shared.is_watched = false;
    }
    return wrong;
}

coro<> drains() {
    while (all_tasks().size() > 1) co_await yield();
}

coro<> waits_for(std::vector<task<>>& tasks) {
    for (task<>& t : tasks) co_await ended(t);
}

}  // namespace

TEST_CASE("gathers with failures, cancellations and duplicates at random") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        std::size_t rounds = stress_iterations(1'500);
        {
            runtime r{{.workers = workers}};
            std::vector<task<>> tasks;
            for (unsigned i = 0; i < 4; ++i) {
                auto random = static_cast<dice::result_type>(seed() + i);
                tasks.push_back(r.spawn(gathers_at_random(t, random | 1, rounds)));
            }
            r.block_on(waits_for(tasks));
            r.block_on(drains());
            for (task<>& each : tasks) CHECK(outcome_of(each) == "value");
        }
        CHECK(t.gathers == static_cast<long>(4 * rounds));
        CHECK(t.values + t.errors + t.cancellations == t.gathers);
        CHECK(t.begun == t.ended);
    });
}

TEST_CASE("gathers that are cancelled from a foreign thread at random") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        std::size_t rounds = stress_iterations(1'000);
        runtime r{{.workers = workers}};
        std::vector<task<>> tasks;
        for (unsigned i = 0; i < 4; ++i) {
            auto random = static_cast<dice::result_type>(seed() + i);
            tasks.push_back(r.spawn(gathers_at_random(t, random | 1, rounds)));
        }
        std::atomic<bool> enough{false};
        std::thread canceller{[&] {
            dice d{static_cast<dice::result_type>(seed()) | 1};
            while (!enough) {
                tasks[d() % tasks.size()].cancel();
                for (auto n = d() % 5'000; n > 0; --n) detail::real_environment::relax();
            }
        }};
        r.block_on(waits_for(tasks));
        enough = true;
        canceller.join();
        r.block_on(drains());
        r.close();
        CHECK(t.begun == t.ended);
    });
}

TEST_CASE("gathers that end while they are cancelled by their handle") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        runtime r{{.workers = workers}};
        const auto random = static_cast<dice::result_type>(seed());
        const long wrong = r.block_on(handles_at_random(t, random | 1, stress_iterations(2'000)));
        r.block_on(drains());
        CHECK(wrong == 0);
        CHECK(t.begun == t.ended);
    });
}

TEST_CASE("a gather that is done knows that it was cancelled by its handle") {
    on_workers(multi, [](unsigned workers) {
        watched_gather shared;
        long seen_wrong = 0;
        std::thread observer{[&] { seen_wrong = watches_gathers(shared); }};
        const long wrong =
            run(cancels_the_last(shared, stress_iterations(3'000)), {.workers = workers});
        observer.join();
        CHECK(wrong == 0);
        CHECK(seen_wrong == 0);
    });
}
