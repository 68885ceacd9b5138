// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/task_local.hpp"

#include <atomic>
#include <csignal>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

const task_local<std::string> user{"nobody"};
const task_local<int> depth{0};
const task_local<int> unset;
const task_local<int> own{0, inheritance::none};

/// How many values are alive.
struct counted {
    explicit counted(std::atomic<int>& count) : alive(&count) { ++*alive; }
    counted(const counted& other) : alive(other.alive) { ++*alive; }
    counted& operator=(const counted&) = delete;
    ~counted() { --*alive; }
    std::atomic<int>* alive;
};

const task_local<std::shared_ptr<counted>> holder{nullptr};

/// Whether `misuse` throws a usage_error that says so.
template <class F>
bool refuses(F misuse, std::string_view sentence) {
    try {
        misuse();
    } catch (const usage_error& e) {
        return std::string_view(e.what()).find(sentence) != std::string_view::npos;
    }
    return false;
}

coro<std::string> reads_user() { co_return user.get(); }
coro<int> reads_own() { co_return own.get(); }

coro<> sets_and_resets() {
    CHECK(*user == "nobody");
    CHECK(user.get_or("somebody") == "somebody");
    auto first = user.set("ann");
    auto second = user.set("bob");
    depth.set(1);
    CHECK(user.get() == "bob");
    CHECK(user.get_or("somebody") == "bob");
    user.reset(std::move(second));
    CHECK(user.get() == "ann");
    CHECK(depth.get() == 1);
    user.reset(std::move(first));
    CHECK(user.get() == "nobody");
    CHECK(depth.get() == 1);
    co_return;
}

coro<> asks_for_what_is_not_set() {
    CHECK_THROWS_AS(unset.get(), usage_error);
    CHECK(refuses([&] { static_cast<void>(unset.get()); }, "task_local_test.cpp"));
    CHECK(unset.get_or(3) == 3);
    auto token = unset.set(4);
    CHECK(unset.get() == 4);
    unset.reset(std::move(token));
    CHECK_THROWS_AS(unset.get(), usage_error);
    co_return;
}

coro<> resets_here(task_local_token* token) {
    CHECK(refuses([&] { static_cast<void>(user.reset(std::move(*token))); }, "another task"));
    co_return;
}

coro<> misuses_tokens() {
    auto token = user.set("ann");
    CHECK(refuses([&] { static_cast<void>(depth.reset(std::move(token))); }, "another variable"));
    co_await create_task(resets_here(&token));
    CHECK(user.get() == "ann");
    task_local_token moved = std::move(token);
    // NOLINTNEXTLINE(bugprone-use-after-move): the point
    CHECK(refuses([&] { static_cast<void>(user.reset(std::move(token))); }, "once"));
    user.reset(std::move(moved));
    // NOLINTNEXTLINE(bugprone-use-after-move): the point
    CHECK(refuses([&] { static_cast<void>(user.reset(std::move(moved))); }, "once"));
    CHECK(user.get() == "nobody");
}

coro<> throws_in_a_scope() {
    const auto scope = user.with("thrower");
    co_await yield();
    throw std::runtime_error("out");
}

coro<> nests_scopes() {
    const auto outer = user.with("outer");
    {
        const auto inner = user.with("inner");
        co_await yield();
        CHECK(user.get() == "inner");
        depth.set(7);
    }
    CHECK(user.get() == "outer");
    CHECK(depth.get() == 7);
    try {
        co_await throws_in_a_scope();
    } catch (const std::runtime_error&) {
        CHECK(user.get() == "outer");
    }
    std::string in_task;
    {
        const auto inner = user.with("for the child");
        task<std::string> child = create_task(reads_user());
        in_task = co_await child;
    }
    CHECK(in_task == "for the child");
    CHECK(user.get() == "outer");
}

coro<> nests_and_ends() {
    co_await nests_scopes();
    CHECK(user.get() == "nobody");
    CHECK(depth.get() == 7);
}

coro<int> sets_own_and_starts() {
    own.set(3);
    const int below = co_await create_task(reads_own());
    co_return 10 * own.get() + below;
}

coro<> does_not_inherit() {
    own.set(1);
    user.set("ann");
    const auto [direct, child, name, deeper] =
        co_await gather(reads_own(), create_task(reads_own()), reads_user(), sets_own_and_starts());
    CHECK(direct == 0);
    CHECK(child == 0);
    CHECK(name == "ann");
    CHECK(deeper == 30);
    CHECK(own.get() == 1);
    auto token = own.set(2);
    user.set("bob");
    own.reset(std::move(token));
    CHECK(own.get() == 1);
    CHECK(user.get() == "bob");
    const int awaited = co_await reads_own();
    CHECK(awaited == 1);
}

coro<bool> may_set(bool suspends) {
    if (suspends) co_await yield();
    const bool sees = user.get() == "parent";
    try {
        user.set("child");
    } catch (const usage_error&) {
        co_return sees&& user.get() == "parent";
    }
    co_return false;
}

coro<std::string> forks_and_creates() {
    auto [name, nothing] = co_await when_all(reads_user(), reads_own());
    static_cast<void>(nothing);
    co_return name + co_await create_task(reads_user());
}

coro<> forks() {
    user.set("parent");
    for (bool suspends : {false, true}) {
        auto [first, second, third] =
            co_await when_all(may_set(suspends), may_set(!suspends), may_set(suspends));
        CHECK(first);
        CHECK(second);
        CHECK(third);
    }
    auto [below, also_below] = co_await when_all(forks_and_creates(), forks_and_creates());
    CHECK(below == "parentparent");
    CHECK(also_below == "parentparent");
    std::atomic<int> refused{0};
    const auto tries = [&refused](int) {
        try {
            user.set("loop");
        } catch (const usage_error&) {
            if (user.get() == "parent") ++refused;
        }
    };
    co_await parallel_for(0, 64, tries);
    CHECK(refused == 64);
    user.set("after");
    CHECK(user.get() == "after");
}

coro<> times_out() {
    user.set("ann");
    co_await with_timeout(far, nests_scopes());
    CHECK(user.get() == "ann");
}

coro<> yields() { co_await yield(); }

coro<> sets_to_clean_up(bool* may_set) {
    try {
        user.set("clean-up");
    } catch (const usage_error&) {
        co_return;
    }
    co_await yield();
    *may_set = user.get() == "clean-up";
}

coro<bool> cleans_up(bool shielded) {
    bool may_set = false;
    const auto clean = [&may_set] { return sets_to_clean_up(&may_set); };
    co_await with_cleanup(yields(), clean, {.shielded = shielded});
    co_return may_set;
}

coro<> cleans_up_as_the_task() {
    for (bool shielded : {false, true}) {
        user.set("task");
        const bool may_set = co_await cleans_up(shielded);
        CHECK(may_set);
        CHECK(user.get() == "clean-up");
        auto [first, second] = co_await when_all(cleans_up(shielded), cleans_up(shielded));
        CHECK_FALSE(first);
        CHECK_FALSE(second);
    }
}

coro<std::string> spawned(runtime& r) {
    user.set("spawner");
    task<std::string> t = r.spawn(reads_user());
    std::string seen = co_await t;
    co_return seen;
}

coro<> posts(runtime& r) {
    strand s{r};
    gate done;
    std::vector<std::string> seen;
    user.set("poster");
    s.post([&] {
        seen.push_back(user.get());
        user.set("first");
    });
    s.post([&] {
        seen.push_back(user.get());
        done.open();
    });
    co_await done;
    CHECK(seen == std::vector<std::string>{"nobody", "nobody"});
    CHECK(user.get() == "poster");
}

coro<> holds_and_waits(std::atomic<int>& alive, gate& g) {
    holder.set(std::make_shared<counted>(alive));
    task<> child = create_task(pass(g));
    holder.set(std::make_shared<counted>(alive));
    co_await child;
}

coro<> lets_go_at_the_end() {
    std::atomic<int> alive = 0;
    gate g;
    task<> t = create_task(holds_and_waits(alive, g), {.name = "holds"});
    while (g.waiting() == 0 || alive != 2) co_await yield();
    g.open();
    co_await t;
    CHECK(alive == 0);
    CHECK(static_cast<bool>(t));
}

// ---- callbacks of call_soon and its like

/// Tells what it sees, sets something, and what a callback sees that it schedules itself.
void sees_and_sets(event_log& log, std::string name) {
    log.add(name + ": " + user.get());
    user.set(name);
    if (name != "inner") call_soon([&log] { sees_and_sets(log, "inner"); });
}

coro<> schedules(event_log& log, bool alone) {
    user.set("ann");
    call_soon([&log] { sees_and_sets(log, "soon"); });
    call_later(std::chrono::milliseconds{1}, [&log] { sees_and_sets(log, "later"); });
    call_at(std::chrono::steady_clock::now(), [&log] { sees_and_sets(log, "at"); });
    user.set("bob");
    while (log.lines().size() != 6) co_await yield();
    CHECK(user.get() == "bob");
    for (const char* line :
         {"soon: ann", "at: ann", "later: ann", "inner: soon", "inner: at", "inner: later"}) {
        CHECK(log.count(line) == 1);
    }
    if (alone) CHECK(log.lines().front() == "soon: ann");
}

/// A value that a callback alone has goes with the callback, called or cancelled.
coro<> lets_go_of_what_callbacks_have() {
    std::atomic<int> alive = 0;
    timer_handle called;
    timer_handle waits;
    {
        const auto scope = holder.with(std::make_shared<counted>(alive));
        called = call_soon([] {});
        waits = call_later(far, [] {});
    }
    CHECK(alive == 1);
    waits.cancel();
    while (alive != 0) co_await yield();
    CHECK_FALSE(called.cancelled());
}

const task_local<any_task> root{any_task{}};

coro<bool> finds_the_root(any_task expected) { co_return root.get() == expected; }

coro<bool> holds_itself() {
    root.set(current_task());
    current_task().set_name("root");
    const bool found = co_await create_task(finds_the_root(current_task()));
    co_return found;
}

coro<> makes_a_circle() {
    const bool found = co_await create_task(holds_itself());
    CHECK(found);
    gate never;
    task<> waits = create_task(pass(never));
    {
        const auto scope = root.with(waits);
        waits.cancel();
        co_await ended(waits);
    }
}

coro<> replaces_a_variable() {
    std::optional<task_local<int>> variable;
    variable.emplace(1);
    variable->set(5);
    CHECK(variable->get() == 5);
    variable.emplace(2);
    CHECK(variable->get() == 2);
    co_return;
}

coro<> many_variables() {
    std::deque<task_local<int>> variables;
    for (int i = 0; i < 100; ++i) {
        variables.emplace_back(-1, i % 3 == 0 ? inheritance::none : inheritance::copied);
    }
    for (std::size_t i = 0; i < 100; i += 2) variables[99 - i].set(static_cast<int>(99 - i));
    int wrong = 0;
    for (int i = 0; i < 100; ++i) {
        const int expected = i % 2 == 1 ? i : -1;
        if (variables[static_cast<std::size_t>(i)].get() != expected) ++wrong;
    }
    CHECK(wrong == 0);
    co_return;
}

coro<std::unique_ptr<task_local_scope>> leaks_a_scope() {
    co_return std::unique_ptr<task_local_scope>(new task_local_scope(user.set("ann")));
}

coro<> ends_a_foreign_scope() {
    auto scope = co_await create_task(leaks_a_scope());
    scope.reset();
}

}  // namespace

TEST_CASE("a task-local value is set, read and reset") {
    on_workers(multi, [](unsigned workers) { run(sets_and_resets(), {.workers = workers}); });
}

TEST_CASE("a task-local variable without a default says where it stands") {
    on_workers(single,
               [](unsigned workers) { run(asks_for_what_is_not_set(), {.workers = workers}); });
}

TEST_CASE("a task-local token resets once, its own variable, in its own task") {
    on_workers(multi, [](unsigned workers) { run(misuses_tokens(), {.workers = workers}); });
}

TEST_CASE("scopes of task-local values nest and end, whatever else is set inside") {
    on_workers(multi, [](unsigned workers) { run(nests_and_ends(), {.workers = workers}); });
}

TEST_CASE("a variable that is not inherited begins anew in each task") {
    on_workers(multi, [](unsigned workers) { run(does_not_inherit(), {.workers = workers}); });
}

TEST_CASE("children of when_all and of loops see their task's values and set none") {
    on_workers(multi, [](unsigned workers) { run(forks(), {.workers = workers}); });
}

TEST_CASE("an operation with a time limit has its task's values") {
    on_workers(multi, [](unsigned workers) { run(times_out(), {.workers = workers}); });
}

TEST_CASE("a clean-up sets its task's values, shielded or not, and none in a child of when_all") {
    on_workers(multi, [](unsigned workers) { run(cleans_up_as_the_task(), {.workers = workers}); });
}

TEST_CASE("a spawned task has its spawner's values, none if that is no task") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        CHECK(r.block_on(spawned(r)) == "spawner");
        task<std::string> t = r.spawn(reads_user());
        r.block_on(ended(t));
        CHECK(t.result() == "nobody");
    });
}

TEST_CASE("what is posted to a strand has no task-local values, and leaves none") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        r.block_on(posts(r));
    });
}

TEST_CASE("a task lets go of its values before it is done") {
    on_workers(multi, [](unsigned workers) { run(lets_go_at_the_end(), {.workers = workers}); });
}

TEST_CASE("a callback that is scheduled has the values of that moment and sets its own") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(schedules(log, workers == 1), {.workers = workers});
    });
}

TEST_CASE("a callback lets go of its values when it was called or cancelled") {
    on_workers(multi, [](unsigned workers) {
        run(lets_go_of_what_callbacks_have(), {.workers = workers});
    });
}

TEST_CASE("a task whose values hold its own handle is freed") {
    on_workers(multi, [](unsigned workers) { run(makes_a_circle(), {.workers = workers}); });
}

TEST_CASE("a new variable never sees the values of one that was there before") {
    on_workers(single, [](unsigned workers) { run(replaces_a_variable(), {.workers = workers}); });
}

TEST_CASE("any number of variables has values in one task") {
    on_workers(single, [](unsigned workers) { run(many_variables(), {.workers = workers}); });
}

TEST_CASE("outside of tasks a variable has its default and cannot be set") {
    CHECK(user.get() == "nobody");
    CHECK(user.get_or("somebody") == "somebody");
    CHECK_THROWS_AS(unset.get(), usage_error);
    CHECK(refuses([&] { static_cast<void>(user.set("ann")); }, "belongs to a task"));
}

TEST_CASE("a scope of a task-local value that ends in another task is refused with a sentence") {
    child_result result = in_child([] {
        run(ends_a_foreign_scope(), {.workers = 1});
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("outside of its task") != std::string::npos);
}
