// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section E: futures. Done-callbacks that tasks have as well are in section_f_test.cpp.
#include "weft/task/future.hpp"

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> is_set_once() {
    promise<int> p;
    future<int> f = p.get_future();
    CHECK_FALSE(f.done());
    CHECK_THROWS_AS(f.result(), invalid_state_error);
    CHECK_THROWS_AS(f.exception(), invalid_state_error);
    p.set_result(42);
    CHECK(f.done());
    CHECK_FALSE(f.cancelled());
    CHECK_THROWS_AS(p.set_result(43), invalid_state_error);
    CHECK_THROWS_AS(p.set_exception(std::make_exception_ptr(std::logic_error("late"))),
                    invalid_state_error);
    CHECK_FALSE(f.cancel());
    CHECK(f.result() == 42);
    CHECK(f.exception() == nullptr);

    promise<int> p2;
    future<int> f2 = p2.get_future();
    CHECK(f2.cancel("not wanted"));
    CHECK(f2.done());
    CHECK(f2.cancelled());
    CHECK_THROWS_AS(f2.result(), cancelled);
    CHECK_THROWS_AS(f2.exception(), cancelled);
    CHECK_THROWS_AS(p2.set_result(1), invalid_state_error);
    CHECK_FALSE(p2.try_set_result(1));
    CHECK_FALSE(f2.cancel());
    co_return;
}

coro<int> value_of(future<int> f) { co_return co_await f; }

constexpr int threads = 8;

/// Eight threads that are no workers set the same promises, in the same order.
class setters {
public:
    explicit setters(const std::vector<promise<int>>& promises) {
        for (int i = 0; i < threads; ++i) {
            threads_.emplace_back([this, i, &promises] {
                while (!go_.load()) std::this_thread::yield();
                for (std::size_t k = 0; k < promises.size(); ++k) {
                    if (promises[k].try_set_result(i)) ++won_[static_cast<std::size_t>(i)];
                }
            });
        }
    }
    void go() { go_.store(true); }
    [[nodiscard]] int join() {
        for (std::thread& t : threads_) t.join();
        int sum = 0;
        for (int won : won_) sum += won;
        return sum;
    }

private:
    std::atomic<bool> go_{false};
    std::array<int, threads> won_{};
    std::vector<std::thread> threads_;
};

struct race_result {
    int set = 0;
    int disagreements = 0;
    int callbacks = 0;
};

coro<race_result> race(int rounds) {
    std::vector<promise<int>> promises;
    std::vector<task<int>> awaiting;
    std::atomic<int> callbacks{0};
    for (int i = 0; i < rounds; ++i) {
        future<int> f = promises.emplace_back().get_future();
        for (int k = 0; k < 3; ++k) awaiting.push_back(create_task(value_of(f)));
        f.add_done_callback([&callbacks](future<int>) { ++callbacks; });
    }
    co_await yield();
    race_result seen;
    setters all{promises};
    all.go();
    for (int i = 0; i < rounds; ++i) {
        const int winner = co_await promises[static_cast<std::size_t>(i)].get_future();
        for (int k = 0; k < 3; ++k) {
            const int got = co_await awaiting[static_cast<std::size_t>(3 * i + k)];
            if (got != winner) ++seen.disagreements;
        }
    }
    seen.set = all.join();
    while (callbacks.load() < rounds) co_await yield();
    seen.callbacks = callbacks.load();
    co_return seen;
}

coro<std::string> outcome_of_a_dropped_promise() {
    auto p = std::make_unique<promise<int>>();
    task<int> awaiting = create_task(value_of(p->get_future()));
    co_await yield();
    p.reset();
    std::string what = "value";
    try {
        co_await awaiting;
    } catch (const broken_promise&) {
        what = "broken promise";
    }
    co_return what;
}

/// It need not be a task that drops it.
coro<> dropped_unawaited() {
    future<int> f;
    {
        promise<int> p;
        f = p.get_future();
    }
    CHECK(f.done());
    CHECK_THROWS_AS(f.result(), broken_promise);
    co_return;
}

}  // namespace

TEST_CASE("C066 a future is set once") {
    on_workers(multi, [](unsigned workers) { run(is_set_once(), {.workers = workers}); });
}

TEST_CASE("C071 eight threads race to set one future") {
    on_workers(multi, [](unsigned workers) {
        const int rounds = is_sanitized() ? 1'000 : 10'000;
        const race_result seen = run(race(rounds), {.workers = workers});
        CHECK(seen.set == rounds);
        CHECK(seen.disagreements == 0);
        CHECK(seen.callbacks == rounds);
    });
}

TEST_CASE("C072 a promise that is dropped") {
    on_workers(multi, [](unsigned workers) {
        const std::string what = run(outcome_of_a_dropped_promise(), {.workers = workers});
        CHECK(what == "broken promise");
        run(dropped_unawaited(), {.workers = workers});
    });
}
