// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section S: slow steps.
#include <atomic>
#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/runtime.hpp"
#include "weft/time/sleep.hpp"

using namespace weft;
using namespace weft::test;

namespace {

/// The warnings for one task name.
class warnings {
public:
    warnings(runtime& r, std::string name) : name_(std::move(name)) {
        r.set_slow_run_handler([this](const slow_run& what) {
            if (what.task_name != name_) return;
            if (what.message.find(name_) == std::string::npos || what.blocked) ++wrong_;
            if (what.held < unit()) ++wrong_;
            ++count_;
        });
    }
    [[nodiscard]] int count() const { return count_; }
    [[nodiscard]] int wrong() const { return wrong_; }

private:
    std::string name_;
    std::atomic<int> count_{0}, wrong_{0};
};

/// One step that takes that long, and until there is a warning, if there is to be one.
coro<> burns(std::chrono::nanoseconds time, const warnings* awaited) {
    const stopwatch watch;
    while (watch.elapsed() < time || (awaited != nullptr && awaited->count() == 0)) {
    }
    co_return;
}

coro<> sleeps(std::chrono::nanoseconds time) { co_await sleep(time); }

void a_slow_step_is_named(unsigned workers) {
    runtime r{{.workers = workers, .slow_run = unit()}};
    const warnings slow(r, "slow");
    r.block_on(ended(r.spawn(burns(2 * unit(), &slow), {.name = "slow"})));
    r.block_on(ended(r.spawn(burns(2 * unit(), nullptr), {.name = "another"})));
    CHECK(slow.count() == 1);
    CHECK(slow.wrong() == 0);
}

void a_sleep_is_no_step(unsigned workers) {
    runtime r{{.workers = workers, .slow_run = unit()}};
    const warnings asleep(r, "asleep");
    r.block_on(ended(r.spawn(sleeps(3 * unit()), {.name = "asleep"})));
    CHECK(asleep.count() == 0);
}

void nothing_is_watched(unsigned workers) {
    runtime r{{.workers = workers, .slow_run = std::chrono::nanoseconds::zero()}};
    const warnings slow(r, "slow");
    r.block_on(ended(r.spawn(burns(2 * unit(), nullptr), {.name = "slow"})));
    CHECK(slow.count() == 0);
}

}  // namespace

TEST_CASE(
    "C210 a step that takes too long is named once, a sleep is not, and nobody if not asked") {
    on_workers(multi, [](unsigned workers) {
        a_slow_step_is_named(workers);
        a_sleep_is_no_step(workers);
        nothing_is_watched(workers);
    });
}
