// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tickets in several tasks, against the ends of what they are for, cancellations and a deadline: no
// result is lost, none is given twice.
#include "weft/combine/as_completed.hpp"

#include <atomic>
#include <random>
#include <vector>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dice = std::minstd_rand;
using tickets = std::vector<completion_ticket<task<unsigned>>>;

constexpr unsigned width = 6;

struct round_tally {
    std::atomic<int> given[width]{};
    std::atomic<int> cancelled_waits{0};
    std::atomic<int> late{0};
};

coro<unsigned> slow_or_quick(unsigned number, unsigned roll) {
    if (roll % 3 == 1) co_await yield();
    if (roll % 3 == 2) co_await sleep(std::chrono::microseconds{10 + roll % 60});
    co_return number;
}

coro<> consumes(tickets mine, round_tally& t) {
    for (auto& ticket : mine) {
        try {
            const unsigned number = co_await ticket;
            ++t.given[number];
        } catch (const cancelled&) {
            ++t.cancelled_waits;
        } catch (const timeout_error&) {
            ++t.late;
        }
    }
}

coro<> cancels(task<> target, unsigned roll) {
    if (roll % 3 == 1) co_await yield();
    if (roll % 3 == 2) co_await sleep(std::chrono::microseconds{roll % 80});
    target.cancel();
}

completions<task<unsigned>> begins(const std::vector<task<unsigned>>& tasks, bool limited,
                                   dice& d) {
    if (!limited) return as_completed(tasks);
    return as_completed(tasks, std::chrono::microseconds{20 + d() % 100});
}

/// What the consumers have left.
coro<> drains(completions<task<unsigned>>& results, round_tally& t) {
    try {
        while (const std::optional<task<unsigned>> next = co_await results.next()) {
            ++t.given[next->result()];
        }
    } catch (const timeout_error&) {
        ++t.late;
    }
}

coro<long> one_round(dice& d, bool limited) {
    round_tally t;
    std::vector<task<unsigned>> tasks;
    for (unsigned i = 0; i < width; ++i) {
        tasks.push_back(create_task(slow_or_quick(i, static_cast<unsigned>(d()))));
    }
    auto results = begins(tasks, limited, d);
    tickets first, second;
    for (auto& ticket : results) {
        (d() % 2 == 0 ? first : second).push_back(std::move(ticket));
    }
    std::vector<task<>> all;
    all.push_back(create_task(consumes(std::move(first), t)));
    all.push_back(create_task(consumes(std::move(second), t)));
    all.push_back(create_task(cancels(all[0], static_cast<unsigned>(d()))));
    all.push_back(create_task(cancels(all[d() % 2], static_cast<unsigned>(d()))));
    for (const task<>& each : all) co_await ended(each);
    co_await drains(results, t);
    long wrong = 0;
    for (const std::atomic<int>& times : t.given) {
        if (times > 1 || (times == 0 && !limited)) ++wrong;
    }
    if (!limited && t.late != 0) ++wrong;
    for (const task<unsigned>& each : tasks) {
        co_await ended(each);
        if (each.cancelling() != 0) ++wrong;
    }
    co_return wrong;
}

coro<long> rounds(dice::result_type random, std::size_t count, bool limited) {
    dice d{random};
    long wrong = 0;
    for (std::size_t i = 0; i < count; ++i) wrong += co_await one_round(d, limited);
    co_return wrong;
}

coro<long> side_by_side(std::size_t count, bool limited) {
    std::vector<task<long>> all;
    for (unsigned i = 0; i < 3; ++i) {
        const auto random = static_cast<dice::result_type>(seed() + i);
        all.push_back(create_task(rounds(random | 1, count, limited)));
    }
    long wrong = 0;
    for (task<long>& each : all) wrong += co_await each;
    co_return wrong;
}

}  // namespace

TEST_CASE("tickets that race with cancellations lose nothing and give nothing twice") {
    const bool limited = GENERATE(false, true);
    on_workers(multi, [limited](unsigned workers) {
        const long wrong = run(side_by_side(stress_iterations(400), limited), {.workers = workers});
        CHECK(wrong == 0);
    });
}
