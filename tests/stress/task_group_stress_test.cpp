// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Task groups whose children fail, end, add others, are started and cancelled at random, while
// foreign threads cancel the owners and add to, and cancel, the groups.
#include "weft/combine/task_group.hpp"

#include <atomic>
#include <functional>
#include <mutex>
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
    std::atomic<long> begun{0};        // tasks that may be cancelled
    std::atomic<long> tokens{0};       // of children made and not destroyed
    std::atomic<long> inside{0};       // children that have begun and not ended
    std::atomic<long> failed{0};       // children and bodies: errors of a group
    std::atomic<long> listed{0};       // what the groups threw
    std::atomic<long> unready{0};      // children that failed before their report
    std::atomic<long> not_started{0};  // what start() threw
    std::atomic<long> unobserved{0};   // what it did not because its task was cancelled
    std::atomic<long> wrong{0};
    std::atomic<long> groups{0};
    std::atomic<long> values{0};
    std::atomic<long> errors{0};
    std::atomic<long> cancellations{0};
    std::mutex mutex;
    std::optional<task_group> latest;  // for foreign threads; guarded by mutex
};

class token {
public:
    explicit token(tally& t) noexcept : tally_(&t) { ++t.tokens; }
    token(token&& other) noexcept : tally_(std::exchange(other.tally_, nullptr)) {}
    token& operator=(token&&) = delete;
    ~token() {
        if (tally_ != nullptr) --tally_->tokens;
    }
    [[nodiscard]] tally& of() const noexcept { return *tally_; }

private:
    tally* tally_;
};

coro<> child(task_group group, token mine, unsigned roll, int depth);

void add(const task_group& group, tally& t, unsigned roll, int depth) {
    try {
        task<> added = group.create_task(child(group, token{t}, roll, depth));
        if (roll % 17 == 0) added.cancel();
    } catch (const usage_error&) {
    }
}

coro<> child(task_group group, token mine, unsigned roll, int depth) {
    tally& t = mine.of();
    ++t.inside;
    scope_exit leaving{[&t] { --t.inside; }};
    if (depth > 0 && roll % 3 == 0) add(group, t, roll / 3, depth - 1);
    if (depth > 0 && roll % 7 == 0) add(group, t, roll / 7, depth - 1);
    if (roll % 5 == 1) co_await yield();
    if (roll % 5 == 2) co_await sleep(std::chrono::microseconds{roll % 100});
    if (roll % 97 == 5) group.cancel("a child has enough");
    if (roll % 31 == 0) {
        ++t.failed;
        throw std::runtime_error("child");
    }
    if (roll % 29 == 0) throw cancelled{};
}

coro<> reports(task_status<unsigned>& status, token mine, unsigned roll) {
    tally& t = mine.of();
    ++t.inside;
    scope_exit leaving{[&t] { --t.inside; }};
    if (roll % 3 == 0) co_await yield();
    if (roll % 11 == 0) {
        ++t.unready;
        throw std::domain_error("before the report");
    }
    status.started(roll);
    if (roll % 5 == 0) co_await sleep(std::chrono::microseconds{roll % 50});
    if (roll % 13 == 0) {
        ++t.failed;
        throw std::runtime_error("after the report");
    }
}

coro<> starts_one(task_group group, tally& t, unsigned roll) {
    try {
        unsigned value = co_await group.start<unsigned>(reports, token{t}, roll);
        if (value != roll) ++t.wrong;
    } catch (const usage_error&) {
    } catch (const std::domain_error&) {
        ++t.not_started;
    }
}

coro<std::optional<int>> body(task_group& group, tally& t, dice::result_type random) {
    dice d{random};
    {
        std::lock_guard guard{t.mutex};
        t.latest = group;
    }
    for (auto n = d() % 8; n > 0; --n) add(group, t, static_cast<unsigned>(d()), 3);
    if (d() % 3 == 0) co_await starts_one(group, t, static_cast<unsigned>(d()));
    switch (d() % 8) {
        case 0:
            co_await yield();
            break;
        case 1:
            co_await sleep(std::chrono::microseconds{d() % 100});
            break;
        case 2:
            ++t.failed;
            throw std::runtime_error("body");
        case 3:
            group.cancel();
            break;
        default:
            break;
    }
    co_return 1;
}

coro<> one_group(tally& t, dice& d) {
    ++t.groups;
    const std::size_t limit = d() % 3 == 0 ? 1 + d() % 4 : 0;
    try {
        co_await task_group::run(task_group_options{.limit = limit}, body, std::ref(t), d());
        ++t.values;
    } catch (const exception_group& group) {
        t.listed += static_cast<long>(group.exceptions().size());
        ++t.errors;
    } catch (const cancelled&) {
        ++t.cancellations;
    }
}

coro<> groups_at_random(tally& t, dice::result_type random, std::size_t rounds) {
    ++t.begun;
    dice d{random};
    for (std::size_t i = 0; i < rounds; ++i) co_await one_group(t, d);
}

coro<> waits_for(std::vector<task<>>& tasks) {
    for (task<>& each : tasks) co_await ended(each);
}

/// Adds to the group that began last, and now and then cancels it.
void meddle(tally& t, dice& d) {
    std::optional<task_group> group;
    {
        std::lock_guard guard{t.mutex};
        group = t.latest;
    }
    if (!group) return;
    add(*group, t, static_cast<unsigned>(d()), 2);
    if (d() % 16 == 0) group->cancel("from outside");
}

/// `strike` runs on a foreign thread until all groups have ended.
template <class Strike>
void run_groups(unsigned workers, tally& t, std::size_t rounds, Strike strike) {
    runtime r{{.workers = workers}};
    r.set_failure_handler([&t](const failure& what) {
        ++(what.what == failure::kind::never_observed ? t.unobserved : t.wrong);
    });
    std::vector<task<>> tasks;
    for (unsigned i = 0; i < 4; ++i) {
        auto random = static_cast<dice::result_type>(seed() + i);
        tasks.push_back(r.spawn(groups_at_random(t, random | 1, rounds)));
    }
    std::atomic<bool> enough{false};
    std::thread foreign{[&] {
        dice d{static_cast<dice::result_type>(seed()) | 1};
        while (t.begun != 4) std::this_thread::yield();
        while (!enough) {
            strike(tasks, d);
            for (auto n = d() % 5'000; n > 0; --n) detail::real_environment::relax();
        }
    }};
    r.block_on(waits_for(tasks));
    enough = true;
    foreign.join();
    t.latest.reset();
    r.close();
    CHECK(t.groups == static_cast<long>(4 * rounds));
    CHECK(t.values + t.errors + t.cancellations == t.groups);
    CHECK(t.tokens == 0);
    CHECK(t.inside == 0);
    CHECK(t.wrong == 0);
    CHECK(t.listed == t.failed);
    CHECK(t.not_started + t.unobserved == t.unready);
    CHECK(t.errors > 0);
    CHECK(t.values > 0);
}

}  // namespace

TEST_CASE("task groups at random") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        run_groups(workers, t, stress_iterations(800),
                   [](std::vector<task<>>&, dice&) { std::this_thread::yield(); });
        CHECK(t.cancellations == 0);
    });
}

TEST_CASE("task groups whose owners are cancelled from a foreign thread") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        run_groups(workers, t, stress_iterations(800), [](std::vector<task<>>& tasks, dice& d) {
            tasks[d() % tasks.size()].cancel("foreign");
        });
    });
}

TEST_CASE("task groups that a foreign thread adds to and cancels") {
    on_workers(multi, [](unsigned workers) {
        tally t;
        run_groups(workers, t, stress_iterations(800), [&t](std::vector<task<>>& tasks, dice& d) {
            if (d() % 8 == 0) tasks[d() % tasks.size()].cancel("foreign");
            meddle(t, d);
        });
    });
}
