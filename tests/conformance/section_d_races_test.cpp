// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section D, second half: reasons, clean-up and races. "Started" means that the body opened its
// gate.
#include "weft/task/task.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

/// Waits for the end of a task without caring how it ended.
coro<> ended(any_task t) {
    while (!t.done()) co_await yield();
}

coro<> records_its_reason(gate& started, std::string& seen) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const cancelled& c) {
        seen = c.reason();
        throw;
    }
}

coro<> reasons_travel(std::string text) {
    gate started;
    std::string inside = "nothing";
    std::string outside = "nothing";
    task<> t = create_task(records_its_reason(started, inside));
    co_await started;
    t.cancel(text);
    std::uint64_t requester = 0;
    try {
        co_await t;
    } catch (const cancelled& c) {
        outside = c.reason();
        requester = c.requester();
    }
    CHECK(inside == text);
    CHECK(outside == text);
    CHECK(requester == current_task().id());
}

coro<> throws_cancelled_itself() {
    co_await yield();
    throw cancelled{};
}

coro<> cancelled_without_a_request() {
    task<> t = create_task(throws_cancelled_itself());
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 0);
    CHECK_THROWS_AS(t.exception(), cancelled);
}

/// Sleeps when cancelled, then notes that it was not interrupted, then ends cancelled.
coro<> cleans_up(gate& started, gate& cleaning, std::chrono::nanoseconds time, event_log& log) {
    started.open();
    std::exception_ptr stop;
    try {
        co_await sleep(far);
    } catch (const cancelled&) {
        stop = std::current_exception();
    }
    cleaning.open();
    co_await sleep(time);
    log.add("clean");
    std::rethrow_exception(stop);
}

coro<> clean_up_may_await(event_log& log) {
    gate started;
    gate cleaning;
    task<> t = create_task(cleans_up(started, cleaning, 2 * unit(), log));
    co_await started;
    stopwatch watch;
    t.cancel();
    bool thrown = false;
    try {
        co_await t;
    } catch (const cancelled&) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(watch.elapsed() >= 2 * unit());
    CHECK(log.lines() == lines{"clean"});
}

coro<> sleeps_and_cleans_up(gate& started, std::chrono::nanoseconds time, event_log& log) {
    const auto cleans = [time, &log]() -> coro<> {
        co_await sleep(time);
        log.add("clean");
    };
    const auto body = [&started]() -> coro<> {
        started.open();
        co_await sleep(far);
    };
    co_await with_cleanup(body, cleans);
}

coro<> with_cleanup_awaits(event_log& log) {
    gate started;
    task<> t = create_task(sleeps_and_cleans_up(started, 2 * unit(), log));
    co_await started;
    stopwatch watch;
    t.cancel("why");
    std::string reason;
    try {
        co_await t;
    } catch (const cancelled& c) {
        reason = c.reason();
    }
    CHECK(reason == "why");
    CHECK(watch.elapsed() >= 2 * unit());
    CHECK(log.lines() == lines{"clean"});
}

coro<> clean_up_can_be_interrupted(event_log& log) {
    gate started;
    gate cleaning;
    task<> t = create_task(cleans_up(started, cleaning, far, log));
    co_await started;
    t.cancel();
    co_await cleaning;
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 2);
    CHECK(log.lines().empty());
}

coro<> catches_ordinary_errors(gate& started, bool& caught) {
    started.open();
    try {
        co_await sleep(far);
    } catch (const std::exception&) {
        caught = true;
    }
}

coro<> ordinary_handlers_let_it_pass() {
    gate started;
    bool caught = false;
    task<> t = create_task(catches_ordinary_errors(started, caught));
    co_await started;
    t.cancel();
    co_await ended(t);
    CHECK_FALSE(caught);
    CHECK(t.cancelled());
}

coro<int> yields_once() {
    co_await yield();
    co_return 1;
}

coro<bool> cancels_after(any_task t, unsigned spins) {
    for (unsigned i = 0; i < spins; ++i) detail::real_environment::relax();
    co_return t.cancel();
}

coro<> random_cancels(unsigned rounds) {
    std::uint64_t random = seed() | 1;
    unsigned wrong = 0;
    for (unsigned i = 0; i < rounds; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        task<int> t = create_task(yields_once());
        task<bool> canceller =
            create_task(cancels_after(t, static_cast<unsigned>(random >> 33) % 200));
        bool accepted = co_await canceller;
        co_await ended(t);
        bool right = accepted ? t.cancelled() : outcome_of(t) == "value" && t.result() == 1;
        wrong += right ? 0 : 1;
    }
    CHECK(wrong == 0);
}

struct tally {
    std::atomic<bool> enough{false};
    std::atomic<unsigned> delivered{0};
    std::atomic<unsigned> undisturbed{0};
};

coro<int> swallows_all(gate& started, tally& t) {
    started.open();
    while (!t.enough) {
        try {
            co_await sleep(std::chrono::milliseconds{1});
            ++t.undisturbed;
        } catch (const cancelled&) {
            ++t.delivered;
        }
    }
    co_return 3;
}

coro<> waits_for(gate& g) { co_await g; }

coro<int> result_of(task<int> t) {
    int value = 0;
    while (!t.done()) co_await yield();
    if (!t.cancelled()) value = t.result();
    co_return value;
}

}  // namespace

TEST_CASE("C056 the reason reaches the body and whoever awaits the task") {
    on_workers(multi, [](unsigned workers) {
        run(reasons_travel("my message"), {.workers = workers});
        run(reasons_travel(""), {.workers = workers});
    });
}

TEST_CASE("C057 a body that throws cancelled by itself is a cancelled task") {
    on_workers(multi,
               [](unsigned workers) { run(cancelled_without_a_request(), {.workers = workers}); });
}

TEST_CASE("C059 clean-up may await, and the task is done only after it") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(clean_up_may_await(log), {.workers = workers});
    });
}

TEST_CASE("C059 with_cleanup: the task is done only after the clean-up, with the same reason") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(with_cleanup_awaits(log), {.workers = workers});
    });
}

TEST_CASE("C060 a second request interrupts the clean-up") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(clean_up_can_be_interrupted(log), {.workers = workers});
    });
}

TEST_CASE("C062 a handler for std::exception does not catch a cancellation") {
    on_workers(multi, [](unsigned workers) {
        run(ordinary_handlers_let_it_pass(), {.workers = workers});
    });
}

TEST_CASE("C063 an accepted request is never followed by a plain value") {
    on_workers(multi, [](unsigned workers) { run(random_cancels(10'000), {.workers = workers}); });
}

TEST_CASE("C065 eight threads cancel one task that swallows everything") {
    on_workers(multi, [](unsigned workers) {
        gate started;
        tally counts;
        std::atomic<unsigned> accepted{0};
        runtime r{{.workers = workers}};
        task<int> t = r.spawn(swallows_all(started, counts));
        r.block_on(waits_for(started));
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                for (int n = 0; n < 1000; ++n) accepted += t.cancel() ? 1u : 0u;
            });
        }
        for (std::thread& thread : threads) thread.join();
        // A whole sleep without a cancellation: nothing is undelivered any more.
        unsigned before = counts.undisturbed;
        while (counts.undisturbed < before + 2) std::this_thread::yield();
        counts.enough = true;
        int value = r.block_on(result_of(t));
        CHECK(accepted == 8000);
        CHECK(t.cancelling() == accepted);
        CHECK(counts.delivered >= 1);
        CHECK(counts.delivered <= accepted);
        CHECK(value == 3);
    });
}
