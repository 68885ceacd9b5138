// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/task/context.hpp"

using namespace weft;
using namespace weft::test;

namespace {

const task_local<std::string> user{"nobody"};
const task_local<int> own{0, inheritance::none};

coro<> copies() {
    const context none;
    user.set("ann");
    own.set(1);
    const context c = copy_context();
    const context other = c.copy();
    user.set("bob");
    CHECK(c.get(user) == "ann");
    CHECK(other.get(user) == "ann");
    CHECK_FALSE(none.get(user).has_value());
    CHECK_FALSE(c.get(own).has_value());
    const context same = c;  // NOLINT(performance-unnecessary-copy-initialization): the point
    same.run([] {
        CHECK(own.get() == 0);
        own.set(2);
        user.set("cid");
    });
    CHECK(c.get(user) == "cid");
    CHECK_FALSE(c.get(own).has_value());
    CHECK(other.get(user) == "ann");
    CHECK(own.get() == 1);
    co_return;
}

coro<> sets_and_passes(gate& g) {
    user.set("waits");
    own.set(1);
    co_await g;
    user.set("went on");
}

coro<> copies_of_others() {
    gate g;
    task<> other = create_task(sets_and_passes(g));
    while (g.waiting() == 0) co_await yield();
    const context c = copy_context(other);
    CHECK(c.get(user) == "waits");
    CHECK_FALSE(c.get(own).has_value());
    CHECK(c.run([] { return user.get(); }) == "waits");
    c.run([] { user.set("not the task's"); });
    CHECK(copy_context(other).get(user) == "waits");
    other.set_name("other");
    CHECK(copy_context(other).get(user) == "waits");
    g.open();
    co_await other;
    CHECK_FALSE(copy_context(other).get(user).has_value());
    user.set("mine");
    CHECK(copy_context(current_task()).get(user) == "mine");
    gate h;
    task<> empty = create_task([](gate& waits) -> coro<> { co_await waits; }, std::ref(h));
    CHECK(copy_context(empty).get(user) == "mine");
    h.open();
    co_await empty;
}

struct counted {
    explicit counted(std::atomic<int>& count) : alive(&count) { ++*alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --*alive; }
    std::atomic<int>* alive;
};

const task_local<std::shared_ptr<counted>> holder{nullptr};
const task_local<std::optional<context>> within{std::nullopt};

coro<> keeps_values() {
    std::atomic<int> alive = 0;
    {
        std::optional<context> c{std::in_place};
        c->run([&] { holder.set(std::make_shared<counted>(alive)); });
        CHECK(alive == 1);
        c->run([&] { holder.set(std::make_shared<counted>(alive)); });
        CHECK(alive == 1);
        // The task keeps the context that it is in.
        gate g;
        task<> in_it = create_task(c->run(pass(g)));
        c.reset();
        while (g.waiting() == 0) co_await yield();
        CHECK(alive == 1);
        g.open();
        co_await in_it;
        CHECK(alive == 0);
    }
    // A context that is its own value lives until that is taken out.
    const context c;
    c.run([&] {
        within.set(c);
        holder.set(std::make_shared<counted>(alive));
    });
    CHECK(alive == 1);
    CHECK(c.get(within).value().value().get(holder).value()->alive == &alive);
    c.run([] {
        within.set(std::nullopt);
        holder.set(nullptr);
    });
    CHECK(alive == 0);
}

}  // namespace

TEST_CASE("a copy of a context goes its own way, without what is not inherited") {
    on_workers(multi, [](unsigned workers) { run(copies(), {.workers = workers}); });
}

TEST_CASE("the values of another task are copied while it lives") {
    on_workers(multi, [](unsigned workers) { run(copies_of_others(), {.workers = workers}); });
}

TEST_CASE("a context keeps its values, and the task in it the context") {
    on_workers(multi, [](unsigned workers) { run(keeps_values(), {.workers = workers}); });
}

TEST_CASE("outside of tasks a context is made and read, and not entered") {
    const context c = copy_context();
    CHECK_FALSE(c.get(user).has_value());
    CHECK_FALSE(c.copy().get(user).has_value());
    // The refusal has left it free: it is the same the next time.
    for (int i = 0; i < 2; ++i) {
        std::string said;
        try {
            c.run([] {});
        } catch (const usage_error& e) {
            said = e.what();
        }
        CHECK(said.find("in tasks and callbacks") != std::string::npos);
    }
}

TEST_CASE("the handle of no task has no context to copy") {
    child_result result = in_child([] {
        static_cast<void>(copy_context(any_task()));
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("handle is empty") != std::string::npos);
}
