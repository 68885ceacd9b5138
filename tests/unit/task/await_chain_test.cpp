// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/await_chain.hpp"

#include <csignal>
#include <cstdint>
#include <memory>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/runtime_gate.hpp"
#include "task/look.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> innermost(gate& g) { co_await g; }
coro<> middle(gate& g) { co_await innermost(g); }
coro<> outermost(gate& g) { co_await middle(g); }

coro<> awaits(task<> other) { co_await other; }

bool is_of(const std::source_location& place, std::string_view function) {
    return std::string_view{place.function_name()}.find(function) != std::string_view::npos;
}

/// The chain of `t` once it waits.
coro<await_chain> chain_of_waiting(any_task t) {
    await_chain chain = t.await_chain();
    while (chain.tasks.front().phase != task_phase::waiting) {
        co_await yield();
        chain = t.await_chain();
    }
    co_return chain;
}

coro<> looks_at_coroutines() {
    gate g;
    task<> t = create_task(outermost(g), {.name = "deep"});
    await_chain chain = co_await chain_of_waiting(t);
    REQUIRE(chain.tasks.size() == 1);
    CHECK_FALSE(chain.is_circle);
    const task_description& told = chain.tasks[0];
    CHECK(told.id == t.id());
    CHECK(told.name == "deep");
    CHECK(told.at.waits_for == "event");
    CHECK(told.at.tasks.empty());
    CHECK(told.at.children.empty());
    CHECK_FALSE(told.at.is_cut);
    CHECK_FALSE(told.is_awaited);
    REQUIRE(told.at.coroutines.size() == 3);
    CHECK(is_of(told.at.coroutines[0], "outermost"));
    CHECK(is_of(told.at.coroutines[1], "middle"));
    CHECK(is_of(told.at.coroutines[2], "innermost"));
    const std::string text = to_text(chain);
    CHECK(text.starts_with("deep (task " + std::to_string(t.id()) + "): "));
    CHECK(text.ends_with(" > event"));
    g.open();
    co_await t;
}

coro<> looks_through_tasks() {
    gate g;
    task<> last = create_task(innermost(g), {.name = "last"});
    task<> first = create_task(awaits(last), {.name = "first"});
    co_await chain_of_waiting(last);
    await_chain chain = co_await chain_of_waiting(first);
    REQUIRE(chain.tasks.size() == 2);
    CHECK(chain.tasks[0].at.waits_for == "join");
    REQUIRE(chain.tasks[0].at.tasks.size() == 1);
    CHECK(chain.tasks[0].at.tasks[0].id == last.id());
    CHECK(chain.tasks[0].at.tasks[0].name == "last");
    CHECK(chain.tasks[1].id == last.id());
    CHECK(chain.tasks[1].is_awaited);
    const auto places = chain.locations();
    REQUIRE(places.size() == 2);
    CHECK(is_of(places[0], "awaits"));
    CHECK(is_of(places[1], "innermost"));
    g.open();
    co_await first;
}

coro<> looks_at_a_gather() {
    gate g;
    task<> quick = create_task([]() -> coro<> { co_return; });
    co_await quick;
    task<> left = create_task(innermost(g), {.name = "left"});
    task<> right = create_task(innermost(g), {.name = "right"});
    auto both = [](task<> a, task<> b, task<> c) -> coro<> { co_await gather(a, b, c); };
    task<> first = create_task(both, quick, left, right);
    await_chain chain = co_await chain_of_waiting(first);
    CHECK(chain.tasks.size() == 1);
    const await_point& at = chain.tasks[0].at;
    REQUIRE(at.tasks.size() == 2);  // that is done which the third was
    CHECK(at.tasks[0].name == "left");
    CHECK(at.tasks[1].name == "right");
    CHECK_FALSE(at.one_is_enough);
    g.open();
    co_await first;
}

coro<> forks(gate& g) {
    co_await when_all(middle(g), coro_sleep(far), []() -> coro<> { co_return; }());
}

coro<> looks_at_children() {
    gate g;
    task<> t = create_task(forks(g));
    await_chain chain = co_await chain_of_waiting(t);
    while (chain.tasks[0].at.children.size() != 2) {
        co_await yield();
        chain = co_await chain_of_waiting(t);
    }
    const await_point& at = chain.tasks[0].at;
    REQUIRE(at.coroutines.size() == 1);
    CHECK(is_of(at.coroutines[0], "forks"));
    bool sleeps = false;
    bool waits = false;
    for (const await_point& child : at.children) {
        if (child.waits_for == "timer")
            sleeps = true;
        else
            waits = child.waits_for == "event" && child.coroutines.size() == 2;
    }
    CHECK(sleeps);
    CHECK(waits);
    t.cancel();
    try {
        co_await t;
    } catch (const cancelled&) {
    }
}

coro<> looks_at_what_does_not_wait() {
    gate g;
    await_chain own = current_task().await_chain();
    REQUIRE(own.tasks.size() == 1);
    CHECK(own.tasks[0].phase == task_phase::running);
    CHECK(own.tasks[0].worker.has_value());
    CHECK(own.tasks[0].at.waits_for.empty());
    CHECK(own.tasks[0].at.coroutines.size() == 1);
    task<> t = create_task(innermost(g));
    g.open();
    co_await t;
    await_chain ended = t.await_chain();
    REQUIRE(ended.tasks.size() == 1);
    CHECK(ended.tasks[0].phase == task_phase::done);
    CHECK(to_text(ended.tasks[0]).find(" is done") != std::string::npos);
}

coro<> recurses(int depth, gate& g) {
    if (depth > 1)
        co_await recurses(depth - 1, g);
    else
        co_await innermost(g);
}

coro<> looks_deep() {
    gate g;
    task<> t = create_task(recurses(5000, g));
    await_chain chain = co_await chain_of_waiting(t);
    const await_point& at = chain.tasks[0].at;
    CHECK(at.is_cut);
    CHECK(at.waits_for == "event");
    CHECK(at.coroutines.size() > 400);
    CHECK(is_of(at.coroutines.back(), "innermost"));
    CHECK(is_of(at.coroutines.front(), "recurses"));
    g.open();
    co_await t;
}

coro<> forks_deep(int depth, gate& g) {
    if (depth > 0)
        co_await when_all(forks_deep(depth - 1, g), forks_deep(depth - 1, g));
    else
        co_await g;
}

coro<> looks_at_many_children() {
    gate g;
    task<> t = create_task(forks_deep(9, g));  // 512 leaves
    while (g.waiting() != 512) co_await yield();
    await_chain chain = co_await chain_of_waiting(t);
    CHECK(chain.tasks[0].at.is_cut);
    CHECK_FALSE(chain.tasks[0].at.children.empty());
    g.open();
    co_await t;
}

coro<> closes_a_circle() {
    gate g;
    task<> left;
    task<> right;
    auto waits = [](gate& ready, task<>& other) -> coro<> {
        co_await ready;
        co_await other;
    };
    left = create_task(waits(g, right), {.name = "left"});
    right = create_task(waits(g, left), {.name = "right"});
    task<> outside = create_task(awaits(left), {.name = "outside"});
    g.open();
    await_chain chain = co_await chain_of_waiting(outside);
    while (!chain.is_circle) {
        co_await yield();
        chain = co_await chain_of_waiting(outside);
    }
    REQUIRE(chain.tasks.size() == 3);
    CHECK(chain.tasks[0].name == "outside");
    CHECK(chain.tasks[1].name == "left");
    CHECK(chain.tasks[2].name == "right");
    left.cancel();
    try {
        co_await outside;
    } catch (const cancelled&) {
    }
}

/// Of a task that waits, or does so soon.
coro<std::uint64_t> stamp_of_waiting(task<> t) {
    const auto notes = std::make_unique<detail::look_notes>();
    while (!notes->take(*detail::task_access::state(t))) co_await yield();
    co_return notes->stamp();
}

coro<> joins_twice(gate& first, gate& second) {
    co_await when_all(pass(first), pass(first));
    co_await when_all(pass(second), pass(second));
}

coro<> cleans_up_twice(gate& first, gate& second) {
    const auto nothing = []() -> coro<> { co_return; };
    const auto waits_for_first = [&first]() -> coro<> { co_await first; };
    const auto waits_for_second = [&second]() -> coro<> { co_await second; };
    co_await with_cleanup(nothing, waits_for_first, {.shielded = true});
    co_await with_cleanup(nothing, waits_for_second, {.shielded = true});
}

coro<> looks_at_two_waits(coro<> (*waits_twice)(gate&, gate&)) {
    gate first;
    gate second;
    task<> t = create_task(waits_twice(first, second));
    while (first.waiting() == 0) co_await yield();
    const std::uint64_t then = co_await stamp_of_waiting(t);
    const std::uint64_t again = co_await stamp_of_waiting(t);
    CHECK(again == then);
    first.open();
    while (second.waiting() == 0) co_await yield();
    const std::uint64_t now = co_await stamp_of_waiting(t);
    CHECK(now != then);
    second.open();
    co_await t;
}

}  // namespace

TEST_CASE("an await chain names the coroutines of a task that waits") {
    on_workers(multi, [](unsigned workers) { run(looks_at_coroutines(), {.workers = workers}); });
}

TEST_CASE("an await chain leads through the tasks that are awaited") {
    on_workers(multi, [](unsigned workers) { run(looks_through_tasks(), {.workers = workers}); });
}

TEST_CASE("an await chain ends with the tasks of a gather that are not done") {
    on_workers(multi, [](unsigned workers) { run(looks_at_a_gather(), {.workers = workers}); });
}

TEST_CASE("an await chain shows the children of a when_all that wait") {
    on_workers(multi, [](unsigned workers) { run(looks_at_children(), {.workers = workers}); });
}

TEST_CASE("of a task that does not wait an await chain says what it does") {
    on_workers(multi,
               [](unsigned workers) { run(looks_at_what_does_not_wait(), {.workers = workers}); });
}

TEST_CASE("a chain that is too long loses its outermost coroutines") {
    on_workers(multi, [](unsigned workers) { run(looks_deep(), {.workers = workers}); });
}

TEST_CASE("of very many children some are shown") {
    on_workers(multi,
               [](unsigned workers) { run(looks_at_many_children(), {.workers = workers}); });
}

TEST_CASE("an await chain ends where it comes back to itself") {
    on_workers(multi, [](unsigned workers) { run(closes_a_circle(), {.workers = workers}); });
}

TEST_CASE("any thread may ask for an await chain, also of a task that outlived its runtime") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        task<> t;
        {
            runtime r{{.workers = workers}};
            t = r.spawn(outermost(g));
            await_chain chain = t.await_chain();
            while (chain.tasks.front().phase != task_phase::waiting) {
                std::this_thread::yield();
                chain = t.await_chain();
            }
            CHECK(chain.tasks[0].at.coroutines.size() == 3);
            g.open();
        }
        await_chain chain = t.await_chain();
        REQUIRE(chain.tasks.size() == 1);
        CHECK(chain.tasks[0].phase == task_phase::done);
    });
}

TEST_CASE("an await chain of an empty handle ends the process with a sentence") {
    child_result result = in_child([] {
        static_cast<void>(any_task{}.await_chain());
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("is empty or was moved from") != std::string::npos);
}

TEST_CASE("a look tells a wait from the next one that is just like it") {
    on_workers(single, [](unsigned workers) {
        run(looks_at_two_waits(joins_twice), {.workers = workers});
        run(looks_at_two_waits(cleans_up_twice), {.workers = workers});
    });
}
