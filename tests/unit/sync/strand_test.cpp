// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sync/strand.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "strand_kit.hpp"
#include "support/catch.hpp"

using namespace weft;
using namespace weft::test;

namespace {

std::vector<int> up_to(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

}  // namespace

TEST_CASE("what is posted runs in order, one at a time, and never inside of the post") {
    on_workers(multi, [](unsigned workers) {
        std::vector<int> order;
        auto body = [&]() -> coro<> {
            const strand s;
            for (int i = 0; i < 1000; ++i) s.post([&order, i] { order.push_back(i); });
            if (workers == 1) CHECK(order.empty());
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        CHECK(order == up_to(1000));
    });
}

TEST_CASE("a posted callable may be move-only and may post again") {
    on_workers(multi, [](unsigned workers) {
        std::vector<int> order;
        auto body = [&]() -> coro<> {
            const strand s;
            s.post([&order, s, owned = std::make_unique<int>(1)] {
                order.push_back(*owned);
                s.post([&order] { order.push_back(3); });
            });
            s.post([&order] { order.push_back(2); });
            co_await drained(s);
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        std::ranges::sort(order);  // with several workers the first may run before the second is
        CHECK(order == std::vector{1, 2, 3});  // posted
    });
}

TEST_CASE("an exception of a posted callable goes to the failure handler, and the next one runs") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        failure_log failures;
        failures.attach(r);
        bool went_on = false;
        auto body = [&]() -> coro<> {
            const strand s;
            s.post([] { throw std::runtime_error("spilled"); });
            s.post([&] { went_on = true; });
            co_await drained(s);
        };
        r.block_on(body());
        CHECK(went_on);
        const auto told = failures.all();
        REQUIRE(told.size() == 1);
        CHECK(told[0].what == failure::kind::in_callback);
        CHECK(told[0].message == "exception in a callable that was posted to a strand: spilled");
        CHECK(text_of(told[0].exception) == "spilled");
    });
}

TEST_CASE("run gives the value or the exception of a coroutine and of a plain callable") {
    on_workers(multi, [](unsigned workers) {
        auto fails = []() -> coro<> {
            co_await yield();
            throw std::runtime_error("inside");
        };
        auto body = [&]() -> coro<> {
            const strand s;
            const auto word = co_await s.run(value_of(std::string{"coroutine"}));
            CHECK(word == "coroutine");
            const int four = co_await s.run(&value_of<int>, 4);
            CHECK(four == 4);
            const int five = co_await s.run([](int a, int b) { return a + b; }, 2, 3);
            CHECK(five == 5);
            const auto owned = co_await s.run([] { return std::make_unique<int>(6); });
            CHECK(*owned == 6);
            std::string text;
            try {
                co_await s.run(fails());
            } catch (const std::runtime_error& e) {
                text = e.what();
            }
            CHECK(text == "inside");
            text.clear();
            try {
                co_await s.run([] { throw std::runtime_error("called"); });
            } catch (const std::runtime_error& e) {
                text = e.what();
            }
            CHECK(text == "called");
            const int sum = co_await s.run(value_of(1)) + co_await s.run(value_of(2));
            CHECK(sum == 3);
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("run on an idle strand does not suspend") {
    runtime r{{.workers = 1}};
    auto body = [&]() -> coro<std::uint64_t> {
        const strand s;
        const std::uint64_t before = r.statistics().resumptions;
        for (int i = 0; i < 10; ++i) co_await s.run([] {});
        co_return r.statistics().resumptions - before;
    };
    CHECK(r.block_on(body()) == 0);
}

TEST_CASE("a coroutine keeps the strand while it waits, and what is behind it keeps its order") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        auto body = [&]() -> coro<> {
            const strand s;
            gate g;
            auto first = s.create_task(log_around(&log, &g, "first"));
            s.post([&] { log.add("posted"); });
            auto second = s.create_task(log_around(&log, &g, "second"));
            s.post([&] { log.add("last"); });
            co_await settle();
            g.open();
            co_await first;
            co_await second;
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        CHECK(log.lines() == lines{"first begins", "first ends", "posted", "second begins",
                                   "second ends", "last"});
    });
}

TEST_CASE("run waits behind what was queued before, callables and tasks alike") {
    on_workers(multi, [](unsigned workers) {
        std::vector<int> order;
        auto body = [&]() -> coro<> {
            const strand s;
            auto note = [&order](int i) -> coro<> {
                co_await yield();
                order.push_back(i);
            };
            for (int i = 0; i < 300; i += 3) {
                s.post([&order, i] { order.push_back(i); });
                s.create_task(note(i + 1));
                co_await s.run(note(i + 2));
            }
        };
        run(body(), {.workers = workers});
        CHECK(order == up_to(300));
    });
}

TEST_CASE("many tasks share a plain number through a strand") {
    on_workers(multi, [](unsigned workers) {
        std::uint64_t sum = 0;
        auto add = [&sum](strand s) -> coro<> {
            for (int i = 0; i < 50; ++i) {
                s.post([&sum] { ++sum; });
                co_await s.run([&sum] { ++sum; });
            }
        };
        auto body = [&]() -> coro<> {
            const strand s;
            std::vector<task<>> adders;
            for (int i = 0; i < 20; ++i) adders.push_back(create_task(add(s)));
            for (task<>& t : adders) co_await t;
            co_await drained(s);
        };
        run(body(), {.workers = workers});
        CHECK(sum == 2000);
    });
}

TEST_CASE("a task of a strand has the name, the place and the outcome of its body") {
    on_workers(multi, [](unsigned workers) {
        auto fails = []() -> coro<int> {
            throw std::runtime_error("task");
            co_return 0;
        };
        auto body = [&]() -> coro<> {
            const strand s;
            auto named = s.create_task(value_of(3), {.name = "three"});
            CHECK(named.name() == "three");
            CHECK(std::string{named.location().function_name()}.find("value_of") !=
                  std::string::npos);
            const int three = co_await named;
            CHECK(three == 3);
            auto failing = s.create_task(fails());
            co_await ended(failing);
            CHECK(outcome_of(failing) == "task");
            CHECK_FALSE(failing.exception() == nullptr);
            auto of_callable = s.create_task([](int x) -> coro<int> { co_return x; }, 5);
            const int five = co_await of_callable;
            CHECK(five == 5);
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("two strands are independent, and one may be had inside the other") {
    on_workers(multi, [](unsigned workers) {
        auto body = []() -> coro<> {
            const strand a;
            const strand b;
            auto inner = [](strand s) -> coro<int> { co_return co_await s.run([] { return 3; }); };
            const int three = co_await a.run(inner(b));
            CHECK(three == 3);
            const strand same = a;
            CHECK(same == a);
            CHECK_FALSE(a == b);
        };
        run(body(), {.workers = workers});
    });
}

TEST_CASE("a busy strand lets the others have their turn") {
    on_workers(single, [](unsigned) {
        auto body = []() -> coro<int> {
            const strand s;
            int ran = 0;
            for (int i = 0; i < 1000; ++i) s.post([&ran] { ++ran; });
            co_await yield();
            const int meanwhile = ran;
            co_await drained(s);
            CHECK(ran == 1000);
            co_return meanwhile;
        };
        CHECK(run(body(), {.workers = 1}) == 64);
    });
}
