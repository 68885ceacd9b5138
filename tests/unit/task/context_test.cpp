// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/context.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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
const task_local<std::optional<int>> maybe{std::nullopt};

constexpr std::string_view entered_already = "entered already";

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

/// Gives what it has found.
coro<std::string> sets_user(std::string to) {
    std::string found = user.get();
    user.set(std::move(to));
    co_await yield();
    co_return found;
}

coro<> calls_in_a_context() {
    user.set("outside");
    const context c;
    CHECK_FALSE(c.get(user).has_value());
    const int given = c.run(
        [&](int more) {
            CHECK(user.get() == "nobody");
            user.set("inside");
            CHECK(c.get(user) == "inside");
            return 1 + more;
        },
        2);
    CHECK(given == 3);
    CHECK(user.get() == "outside");
    CHECK(c.get(user) == "inside");
    CHECK(c.run([] { return user.get(); }) == "inside");
    // By reference, as what is called where it stands may give and take.
    int local = 5;
    int& same = c.run([](int& it) -> int& { return it; }, local);
    CHECK(&same == &local);
    c.run([] { maybe.set(std::optional<int>{}); });
    CHECK(c.get(maybe).has_value());
    co_return;
}

coro<> awaits_in_a_context() {
    user.set("outside");
    const context c = copy_context();
    const std::string found = co_await c.run(sets_user("first"));
    CHECK(found == "outside");
    CHECK(user.get() == "outside");
    const std::string next = co_await c.run(sets_user, "second");
    CHECK(next == "first");
    const std::string limited = co_await with_timeout(far, c.run(sets_user("fourth")));
    CHECK(limited == "second");
    CHECK(c.get(user) == "fourth");
    CHECK(user.get() == "outside");
}

coro<> fails_in_a_context(gate* waits) {
    user.set("before it failed");
    if (waits != nullptr) co_await *waits;
    throw std::runtime_error("out");
}

coro<> leaves_by_exceptions() {
    const context c;
    bool thrown = false;
    try {
        co_await c.run(fails_in_a_context(nullptr));
    } catch (const std::runtime_error&) {
        thrown = true;
    }
    CHECK(thrown);
    CHECK(user.get() == "nobody");
    CHECK(c.get(user) == "before it failed");
    CHECK_THROWS_AS(c.run([] {
        user.set("called");
        throw std::runtime_error("out");
    }),
                    std::runtime_error);
    CHECK(c.get(user) == "called");

    gate never;
    const context d;
    task<> cancelled_later = create_task(d.run(fails_in_a_context(&never)));
    while (never.waiting() == 0) co_await yield();
    cancelled_later.cancel();
    co_await ended(cancelled_later);
    CHECK(cancelled_later.cancelled());
    CHECK(d.get(user) == "before it failed");
    CHECK(d.run([] { return user.get(); }) == "before it failed");
}

coro<> enters_twice() {
    const context c;
    gate open;
    // From the call on, not from the first step.
    task<> has_it = create_task(c.run(pass(open)));
    CHECK(refuses([&] { static_cast<void>(c.run(reads_user())); }, entered_already));
    CHECK(refuses([&] { c.run([] {}); }, entered_already));
    while (open.waiting() == 0) co_await yield();
    CHECK(refuses([&] { c.run([] {}); }, entered_already));
    CHECK(c.copy().run([] { return user.get(); }) == "nobody");
    open.open();
    co_await has_it;
    c.run([&] {
        CHECK(refuses([&] { c.run([] {}); }, entered_already));
        c.copy().run([&] { CHECK(refuses([&] { c.run([] {}); }, entered_already)); });
    });
    {
        auto unused = c.run(reads_user());
    }
    // Of a task that never begins, too.
    task<std::string> never = create_task(c.run(reads_user()));
    never.cancel();
    co_await ended(never);
    c.run([] { user.set("free"); });
    CHECK(c.get(user) == "free");
}

coro<> adds_a_line(event_log* log, int number) {
    depth.set(depth.get() + 1);
    co_await yield();
    log->add(std::to_string(number) + ": " + std::to_string(depth.get()));
}

/// Who is to wait until a context is free uses a strand, and enters on that.
coro<> enters_in_turns(event_log& log) {
    const context c;
    const strand s;
    std::vector<task<>> all;
    for (int i = 0; i < 5; ++i) {
        all.push_back(s.create_task([c, &log, i] { return c.run(adds_a_line(&log, i)); }));
    }
    for (task<>& t : all) co_await t;
    CHECK(log.lines() == std::vector<std::string>{"0: 1", "1: 2", "2: 3", "3: 4", "4: 5"});
    CHECK(c.get(depth) == 5);
}

coro<> nests() {
    const context a;
    const context b;
    a.run([&] {
        user.set("a");
        depth.set(1);
        b.run([&] {
            CHECK(user.get() == "nobody");
            user.set("b");
            // What is set in a context that was entered around this one is not given back yet.
            CHECK_FALSE(a.get(user).has_value());
        });
        CHECK(user.get() == "a");
        CHECK(b.get(user) == "b");
    });
    CHECK(a.get(user) == "a");
    CHECK(a.get(depth) == 1);
    CHECK(user.get() == "nobody");
    co_return;
}

coro<> in_all_places(runtime& r) {
    user.set("outside");
    const context c;
    const std::string by_task = co_await create_task(c.run(sets_user("task")), {.name = "t"});
    const std::string eager =
        co_await create_task(c.run(sets_user("eager")), {.start = start_policy::eager});
    const auto [gathered] = co_await gather(c.run(sets_user("gathered")));
    const std::string spawned = co_await r.spawn(c.run(sets_user("spawned")));
    CHECK(by_task == "nobody");
    CHECK(eager == "task");
    CHECK(gathered == "eager");
    CHECK(spawned == "gathered");
    gate called;
    call_soon([&called, c] {
        c.run([] { user.set(user.get() + ", called"); });
        called.open();
    });
    co_await called;
    CHECK(c.get(user) == "spawned, called");
    gate posted;
    strand s{r};
    s.post([&posted, c] {
        c.run([] { user.set("posted"); });
        posted.open();
    });
    co_await posted;
    CHECK(c.get(user) == "posted");
    CHECK(user.get() == "outside");
}

/// What is made inside begins with a copy, and goes on when the context is left.
coro<> passes_copies_on() {
    const context c;
    gate left;
    gate soon_called;
    gate called;
    std::string soon_saw;
    std::string done_saw;
    task<std::string> child;
    c.run([&] {
        user.set("inside");
        child = create_task(
            [](gate& g) -> coro<std::string> {
                co_await g;
                std::string found = user.get();
                user.set("child");
                co_return found;
            },
            std::ref(left));
        call_soon([&] {
            soon_saw = user.get();
            soon_called.open();
        });
        child.add_done_callback([&](any_task) {
            done_saw = user.get();
            user.set("callback");
            called.open();
        });
        user.set("later");
    });
    left.open();
    const std::string child_saw = co_await child;
    co_await soon_called;
    co_await called;
    CHECK(child_saw == "inside");
    CHECK(soon_saw == "inside");
    CHECK(done_saw == "inside");
    CHECK(c.get(user) == "later");
}

coro<std::string> reads_in(const context& c) { co_return c.get(user).value_or("not set"); }

coro<bool> may_enter(context c, bool suspends) {
    if (suspends) co_await yield();
    try {
        co_await c.run(reads_user());
    } catch (const usage_error& e) {
        co_return std::string_view(e.what()).find("when_all") != std::string_view::npos;
    }
    co_return false;
}

coro<std::string> forks_inside(const context& in) {
    user.set("forks");
    auto [one, other] = co_await when_all(reads_user(), reads_user());
    // A child reads in it as its task does.
    auto [seen, nothing] = co_await when_all(reads_in(in), reads_user());
    static_cast<void>(nothing);
    CHECK(seen == "forks");
    co_return one + " " + other;
}

coro<> forks() {
    for (bool suspends : {false, true}) {
        auto [first, second] =
            co_await when_all(may_enter(context(), suspends), may_enter(context(), !suspends));
        CHECK(first);
        CHECK(second);
    }
    const context c;
    const std::string below = co_await c.run(forks_inside(c));
    CHECK(below == "forks forks");
}

// ---- tokens and scopes

coro<> resets(task_local_token* token) {
    user.reset(std::move(*token));
    co_return;
}

coro<> resets_where_it_was_set() {
    const context c;
    std::optional<task_local_token> token;
    c.run([&] {
        user.set("first");
        token.emplace(user.set("second"));
    });
    CHECK(refuses([&] { user.reset(std::move(*token)); }, "another context"));
    CHECK(
        refuses([&] { c.copy().run([&] { user.reset(std::move(*token)); }); }, "another context"));
    // Another task, the same context: what one has set up the other takes back.
    co_await create_task(c.run(resets(&*token)));
    CHECK(c.get(user) == "first");

    auto outer = user.set("outside");
    CHECK(refuses([&] { c.run([&] { user.reset(std::move(outer)); }); }, "another context"));
    user.reset(std::move(outer));
    CHECK(user.get() == "nobody");

    const auto scope = user.with("scope");
    c.run([] {
        const auto inner = user.with("inner");
        CHECK(user.get() == "inner");
    });
    CHECK(user.get() == "scope");
    CHECK(c.get(user) == "first");
}

coro<> ends_a_scope_outside() {
    const context c;
    std::unique_ptr<task_local_scope> scope;
    c.run([&] { scope = std::unique_ptr<task_local_scope>(new task_local_scope(user.set("x"))); });
    scope.reset();
    co_return;
}

coro<> says_its_place() {
    const context c;
    auto body = reads_user();
    const std::string of_body = create_task(std::move(body)).location().function_name();
    task<std::string> t = create_task(c.run(reads_user()));
    CHECK(std::string(t.location().function_name()) == of_body);
    co_await t;
}

}  // namespace

TEST_CASE("what is called in a context sees its values, and leaves there what it sets") {
    on_workers(multi, [](unsigned workers) { run(calls_in_a_context(), {.workers = workers}); });
}

TEST_CASE("a coroutine is awaited in a context, across its suspensions") {
    on_workers(multi, [](unsigned workers) { run(awaits_in_a_context(), {.workers = workers}); });
}

TEST_CASE("a context is left by exceptions and cancellations too, with what was set") {
    on_workers(multi, [](unsigned workers) { run(leaves_by_exceptions(), {.workers = workers}); });
}

TEST_CASE("a context is entered by one at a time, from the call of run on") {
    on_workers(multi, [](unsigned workers) { run(enters_twice(), {.workers = workers}); });
}

TEST_CASE("a strand brings those in order who want one context") {
    on_workers(multi, [](unsigned workers) {
        event_log log;
        run(enters_in_turns(log), {.workers = workers});
    });
}

TEST_CASE("contexts nest") {
    on_workers(multi, [](unsigned workers) { run(nests(), {.workers = workers}); });
}

TEST_CASE("all that takes a coroutine or a callable may be given a context") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        r.block_on(in_all_places(r));
    });
}

TEST_CASE("tasks and callbacks that are made in a context begin with a copy of it") {
    on_workers(multi, [](unsigned workers) { run(passes_copies_on(), {.workers = workers}); });
}

TEST_CASE("children of when_all see the values of a context and enter none") {
    on_workers(multi, [](unsigned workers) { run(forks(), {.workers = workers}); });
}

TEST_CASE("a value is reset in the context that it was set in, by whoever is in it") {
    on_workers(multi,
               [](unsigned workers) { run(resets_where_it_was_set(), {.workers = workers}); });
}

TEST_CASE("a scope that ends outside of its context is refused with a sentence") {
    child_result result = in_child([] {
        run(ends_a_scope_outside(), {.workers = 1});
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("outside of its task or context") != std::string::npos);
}

TEST_CASE("a task in a context is shown where its coroutine stands") {
    on_workers(single, [](unsigned workers) { run(says_its_place(), {.workers = workers}); });
}

TEST_CASE("main tasks run in a context one after the other") {
    on_workers(multi, [](unsigned workers) {
        const context c;
        runtime r{{.workers = workers}};
        CHECK(r.block_on(c.run(sets_user("first"))) == "nobody");
        CHECK(r.block_on(reads_user()) == "nobody");
        CHECK(r.block_on(c.run(sets_user("second"))) == "first");
        CHECK(run(c.run(reads_user()), {.workers = workers}) == "second");
        CHECK(c.get(user) == "second");
    });
}
