// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The order of a single worker, against a queue that the tasks keep themselves.
#include "sched/worker.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "busy_stage.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// What a single worker has to run, in this order: whoever becomes ready is noted here by whoever
/// makes it so.
struct strict_order {
    explicit strict_order(stage& on) : s(on) {}
    stage& s;
    std::mt19937_64 random{seed()};
    std::deque<std::size_t> ready{};
    std::vector<detail::runnable*> asleep{};
    std::size_t awake = 0;
    std::size_t next_id = 0;
    std::uint64_t out_of_order = 0;

    void begin_run(std::size_t id) {
        out_of_order += ready.empty() || ready.front() != id ? 1 : 0;
        std::erase(ready, id);
    }
    /// A new task.
    [[nodiscard]] std::size_t make_ready() {
        ready.push_back(next_id);
        return next_id++;
    }
    void wake_one() {
        for (std::size_t id = 0; id < asleep.size(); ++id) {
            if (asleep[id] == nullptr) continue;
            ready.push_back(id);
            ++awake;
            return wake_if_any(asleep[id]);
        }
    }
};

coro<> runs_once(strict_order& order, std::size_t id) {
    order.begin_run(id);
    co_return;
}

/// Who awaits a task, once it does.
struct awaiter_place {
    bool is_waiting = false;
    std::size_t id = 0;
};

coro<> wakes_its_awaiter(strict_order& order, std::size_t id, awaiter_place& awaiter) {
    order.begin_run(id);
    if (awaiter.is_waiting) order.ready.push_back(awaiter.id);
    co_return;
}

coro<> keeps_order(strict_order& order, std::size_t id, int steps) {
    order.begin_run(id);
    for (int i = 0; i < steps; ++i) {
        switch (order.random() % 5) {
            case 0:
                order.ready.push_back(id);
                co_await yield();
                order.begin_run(id);
                break;
            case 1:
                order.wake_one();
                break;
            case 2: {
                if (order.awake == 1) break;
                --order.awake;
                nap asleep{order.asleep[id]};
                co_await asleep;
                order.begin_run(id);
                break;
            }
            case 3:
                create_task(runs_once(order, order.make_ready()));
                break;
            default: {
                // Awaited at once, or when it is not the youngest any more.
                awaiter_place mine{.id = id};
                const std::size_t fresh = order.make_ready();
                task<> awaited = create_task(wakes_its_awaiter(order, fresh, mine));
                if (order.random() % 2 == 0) create_task(runs_once(order, order.make_ready()));
                if (order.random() % 2 == 0) order.wake_one();
                if (awaited.done()) break;
                mine.is_waiting = true;
                co_await std::move(awaited);
                order.begin_run(id);
                break;
            }
        }
    }
    --order.awake;
    while (order.awake == 0 &&
           std::ranges::any_of(order.asleep, [](auto* r) { return r != nullptr; }))
        order.wake_one();
}

}  // namespace

TEST_CASE("a single worker runs tasks strictly in the order in which they became ready") {
    stage s{1};
    strict_order order{s};
    constexpr std::size_t count = 7;
    std::vector<task<>> tasks;
    order.awake = order.next_id = count;
    order.asleep.resize(count);
    for (std::size_t id = 0; id < count; ++id) {
        order.ready.push_back(id);
        tasks.push_back(s.runtime.start(keeps_order(order, id, 3000)));
    }
    s.finish();
    CHECK(order.out_of_order == 0);
    CHECK(order.ready.empty());
}
