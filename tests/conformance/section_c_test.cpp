// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section C: task-local values and contexts.
#include "weft/task/task_local.hpp"

#include <atomic>
#include <random>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

const task_local<std::string> answer{"nope"};

coro<std::string> sets_other(bool& kept) {
    co_await sleep(unit() / 10);
    std::string seen = answer.get();
    answer.set("other");
    co_await yield();
    kept = answer.get() == "other";
    co_return seen;
}

coro<> sets_after_the_creation() {
    bool kept = false;
    task<std::string> sub = create_task(sets_other(kept));
    answer.set("yes");
    const std::string seen = co_await sub;
    CHECK(seen == "nope");
    CHECK(kept);
    CHECK(answer.get() == "yes");

    // What is awaited without a task of its own has the task's values.
    const std::string inside = co_await sets_other(kept);
    CHECK(inside == "yes");
    CHECK(answer.get() == "other");
}

coro<std::string> sets_answer(std::string to) {
    std::string found = answer.get();
    co_await yield();
    answer.set(std::move(to));
    co_await sleep(unit() / 10);
    co_return found;
}

coro<> shares_a_context() {
    answer.set("the creator's");
    const context shared = copy_context();
    answer.set("later");

    const std::string first = co_await create_task(shared.run(sets_answer("the first task's")));
    CHECK(first == "the creator's");
    CHECK(shared.get(answer) == "the first task's");
    CHECK(answer.get() == "later");

    // A second task begins with what the first has set; both at one time are refused.
    task<std::string> second = create_task(shared.run(sets_answer("the second task's")));
    CHECK_THROWS_AS(shared.run(sets_answer("nobody's")), usage_error);
    const std::string copied = co_await create_task(shared.copy().run(sets_answer("a copy's")));
    const std::string found = co_await second;
    CHECK(copied == "the first task's");
    CHECK(found == "the first task's");
    CHECK(shared.get(answer) == "the second task's");
    CHECK(answer.get() == "later");

    gate called;
    call_soon([&called, shared] {
        shared.run([] { answer.set(answer.get() + " and a callback's"); });
        called.open();
    });
    co_await called;
    CHECK(shared.get(answer) == "the second task's and a callback's");
}

const task_local<int> number{-1};

coro<> keeps_its_number(int own, unsigned seed, std::atomic<int>& wrong) {
    std::minstd_rand random{seed};
    for (int i = 0; i < 10; ++i) {
        number.set(own + i);
        co_await sleep(std::chrono::microseconds{random() % 2000});
        if (number.get() != own + i) ++wrong;
    }
}

coro<> starts_a_hundred(std::atomic<int>& wrong) {
    number.set(5);
    std::vector<task<>> tasks;
    auto next = static_cast<unsigned>(seed());
    for (int i = 0; i < 100; ++i) {
        tasks.push_back(create_task(keeps_its_number(100 * i, next++, wrong)));
    }
    for (task<>& t : tasks) co_await t;
    CHECK(number.get() == 5);
}

coro<> passes(gate& g) { co_await g; }

coro<> registers_a_callback() {
    gate go;
    gate called;
    std::string seen;
    task<> t = create_task(passes(go));
    answer.set("at the registration");
    t.add_done_callback([&](any_task) {
        seen = answer.get();
        answer.set("by the callback");
    });
    t.add_done_callback([&](any_task) {
        seen += ", then " + answer.get();
        called.open();
    });
    answer.set("later");
    go.open();
    co_await t;
    co_await called;
    CHECK(seen == "at the registration, then at the registration");
    CHECK(answer.get() == "later");
}

}  // namespace

TEST_CASE("C033 a task begins with its creator's values, and both go their own ways") {
    on_workers(multi,
               [](unsigned workers) { run(sets_after_the_creation(), {.workers = workers}); });
}

TEST_CASE("C034 a task that is given a context runs in it, and leaves there what it sets") {
    on_workers(multi, [](unsigned workers) { run(shares_a_context(), {.workers = workers}); });
}

TEST_CASE("C035 task-local values stay with tasks that migrate") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> wrong{0};
        run(starts_a_hundred(wrong), {.workers = workers});
        CHECK(wrong == 0);
    });
}

TEST_CASE("C036 a done-callback has the values of its registration and changes nobody's") {
    on_workers(multi, [](unsigned workers) { run(registers_a_callback(), {.workers = workers}); });
}
