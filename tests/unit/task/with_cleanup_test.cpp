// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/with_cleanup.hpp"

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using lines = std::vector<std::string>;

coro<> nothing() { co_return; }

coro<> logs(event_log& log, std::string line) {
    co_await yield();
    log.add(std::move(line));
}

/// What a late request may interrupt.
coro<> begins_to_clean(event_log& log) {
    log.add("clean");
    co_await yield();
}

coro<> waits_in_the_body(gate& g) {
    event_log log;
    std::exception_ptr error;
    try {
        co_await with_cleanup(pass(g), [&log] { return begins_to_clean(log); });
    } catch (const cancelled&) {
        error = std::current_exception();
    }
    if (log.count("clean") != 1) throw std::logic_error("cleaned up other than once");
    if (error) std::rethrow_exception(error);
}

coro<> waits_in_the_clean_up(gate& g) {
    co_await with_cleanup(nothing(), [&g] { return pass(g); });
}

coro<> waits_in_the_body_of_a_callable(gate& g) {
    const auto body = [&g]() -> coro<> { co_await g; };
    co_await with_cleanup(body, &nothing);
}

coro<int> gives(int value) {
    co_await yield();
    co_return value;
}

coro<int> throws(std::string text) {
    co_await yield();
    throw std::runtime_error(text);
    co_return 0;
}

coro<std::string> seen_by(coro<int> all) {
    std::string seen;
    try {
        seen = std::to_string(co_await std::move(all));
    } catch (const std::exception& e) {
        seen = e.what();
    } catch (const cancelled& c) {
        seen = "cancelled " + std::string{c.reason()};
    }
    co_return seen;
}

coro<> throws_again(std::exception_ptr error) {
    co_await yield();
    throw std::runtime_error("clean-up after " + text_of(error));
}

coro<> notes_error(std::exception_ptr error, std::string& text) {
    co_await yield();
    text = error ? text_of(error) : "no error";
}

coro<> outcomes() {
    event_log log;
    const auto clean = [&log] { return logs(log, "clean"); };
    std::string seen = co_await seen_by(with_cleanup(gives(5), clean));
    CHECK(seen == "5");
    seen = co_await seen_by(with_cleanup(throws("body"), clean));
    CHECK(seen == "body");
    CHECK(log.count("clean") == 2);
    seen = co_await seen_by(with_cleanup(throws("body"), &throws_again));
    CHECK(seen == "clean-up after body");
    seen = co_await seen_by(with_cleanup(gives(5), &throws_again));
    CHECK(seen == "clean-up after ");

    std::string error;
    const auto notes = [&error](std::exception_ptr e) { return notes_error(std::move(e), error); };
    static_cast<void>(co_await with_cleanup(gives(5), notes));
    CHECK(error == "no error");
    seen = co_await seen_by(with_cleanup(throws("body"), notes, {.shielded = true}));
    CHECK(seen == "body");
    CHECK(error == "body");
}

/// Both callables own what they capture, and live as long as their coroutines.
coro<> captures() {
    auto shared = std::make_shared<int>(7);
    int after = 0;
    auto body = [shared]() -> coro<int> {
        co_await yield();
        co_return *shared;
    };
    auto clean = [shared, &after]() -> coro<> {
        co_await yield();
        after = *shared + 1;
    };
    std::weak_ptr<int> watched = shared;
    coro<int> all = with_cleanup(std::move(body), std::move(clean));
    shared.reset();
    int value = co_await std::move(all);
    CHECK(value == 7);
    CHECK(after == 8);
    CHECK(watched.expired());
}

coro<int> awaits_a_task(task<int> t, event_log& log) {
    const auto clean = [&log] { return logs(log, "clean"); };
    co_return co_await with_cleanup(t, clean);
}

coro<std::unique_ptr<int>> gives_what_is_not_copied() { co_return std::make_unique<int>(3); }

coro<> bodies_of_other_kinds() {
    event_log log;
    int value = co_await awaits_a_task(create_task(gives(4)), log);
    CHECK(value == 4);
    std::unique_ptr<int> moved = co_await with_cleanup(gives_what_is_not_copied(), &nothing);
    CHECK(*moved == 3);
    moved = co_await with_cleanup(create_task(gives_what_is_not_copied()), &nothing);
    CHECK(*moved == 3);
}

struct throws_when_moved {
    throws_when_moved() = default;
    throws_when_moved(throws_when_moved&& other) : moves(other.moves + 1) {
        if (moves == 2) throw std::runtime_error("moved");
    }
    int moves = 0;
};

coro<throws_when_moved> gives_what_throws() { co_return throws_when_moved{}; }

coro<> a_value_that_cannot_be_moved() {
    event_log log;
    const auto clean = [&log] { return logs(log, "clean"); };
    std::string seen;
    try {
        co_await with_cleanup(gives_what_throws(), clean);
    } catch (const std::runtime_error& e) {
        seen = e.what();
    }
    CHECK(seen == "moved");
    CHECK(log.count("clean") == 1);
}

coro<> sleeps(gate& started) {
    started.open();
    co_await sleep(far);
}

coro<> cleans(gate& cleaning, gate& until, event_log& log) {
    cleaning.open();
    co_await until;
    log.add("clean");
}

struct stage {
    gate started;
    gate cleaning;
    gate until;
    event_log log;
};

coro<> stops_and_cleans(stage& s, cleanup_options options) {
    const auto clean = [&s] { return cleans(s.cleaning, s.until, s.log); };
    co_await with_cleanup(sleeps(s.started), clean, options);
}

coro<> a_second_request(bool shielded) {
    stage s;
    task<> t = create_task(stops_and_cleans(s, {.shielded = shielded}));
    co_await s.started;
    t.cancel("first");
    co_await s.cleaning;
    t.cancel("second");
    if (shielded) {
        for (int i = 0; i < 10; ++i) co_await yield();
        CHECK_FALSE(t.done());
        s.until.open();
    }
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(t.cancelling() == 2);
    CHECK(s.log.count("clean") == (shielded ? 1 : 0));
}

coro<> gives_and_cleans(stage& s, std::string& value, std::string& next) {
    const auto clean = [&s] { return cleans(s.cleaning, s.until, s.log); };
    value = std::to_string(co_await with_cleanup(gives(5), clean, {.shielded = true}));
    CHECK(current_task().cancelling() == 1);
    try {
        co_await yield();
        next = "nothing";
    } catch (const cancelled& c) {
        next = c.reason();
    }
}

/// The value is not lost, and the next suspension throws.
coro<> a_request_while_shielded() {
    stage s;
    std::string value;
    std::string next;
    task<> t = create_task(gives_and_cleans(s, value, next));
    co_await s.cleaning;
    t.cancel("meanwhile");
    s.until.open();
    co_await t;
    CHECK(value == "5");
    CHECK(next == "meanwhile");
    CHECK(s.log.count("clean") == 1);
}

coro<> cancels_itself(event_log& log) {
    log.add(current_task().cancel("own wish") ? "asked" : "refused");
    co_await yield();
    co_await create_task(nothing());
    log.add("clean");
}

coro<> shielded_from_itself(event_log& log, any_task self) {
    const auto clean = [&log] { return cancels_itself(log); };
    co_await with_cleanup(nothing(), clean, {.shielded = true});
    log.add(current_task() == self ? "same task" : "another task");
    co_await yield();
    log.add("not cancelled");
}

coro<> a_clean_up_that_cancels_its_task() {
    event_log log;
    const auto start = [&log]() -> coro<> { co_await shielded_from_itself(log, current_task()); };
    task<> t = create_task(start);
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(log.lines() == lines{"asked", "clean", "same task"});
}

coro<> many_at_once(std::atomic<int>& cleaned, std::chrono::nanoseconds delay) {
    const auto clean = [&cleaned, delay]() -> coro<> {
        co_await sleep(delay);
        ++cleaned;
    };
    co_await with_cleanup(coro_sleep(far), clean, {.shielded = true});
}

coro<> leaves_what_cleans_up(std::atomic<int>& cleaned, int count) {
    for (int i = 0; i < count; ++i) {
        create_task(many_at_once(cleaned, std::chrono::microseconds{50 * i}));
    }
    co_await yield();
    for (const any_task& t : all_tasks()) {
        if (t != current_task()) t.cancel();
    }
    for (int i = 0; i < 20; ++i) co_await yield();  // most are in their clean-up by now
}

coro<> children_that_clean_up(std::atomic<int>& cleaned) {
    std::vector<coro<>> children;
    for (int i = 0; i < 20; ++i) {
        children.push_back(many_at_once(cleaned, std::chrono::microseconds{50 * i}));
    }
    co_await when_all(std::move(children));
}

coro<> cancelled_children() {
    std::atomic<int> cleaned{0};
    task<> t = create_task(children_that_clean_up(cleaned));
    co_await sleep(unit() / 10);
    const bool accepted = t.cancel();
    CHECK(accepted);
    co_await yield();
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(cleaned <= 20);
}

coro<int> gives_and_sleeps(event_log& log) {
    const auto clean = [&log]() -> coro<> {
        co_await sleep(std::chrono::microseconds{100});
        log.add("clean");
        co_await logs(log, "done");
    };
    co_return co_await with_cleanup(gives(6), clean, {.shielded = true});
}

/// The task runs in the place of the one that awaits it, until it suspends.
coro<> awaited_directly() {
    event_log log;
    for (int i = 0; i < 20; ++i) {
        const int value = co_await create_task(gives_and_sleeps(log));
        CHECK(value == 6);
    }
    CHECK(log.count("done") == 20);
}

coro<> limits_its_clean_up(bool& expired) {
    const auto clean = [&expired]() -> coro<> {
        expired = !co_await move_on_after(unit(), coro_sleep(far));
    };
    co_await with_cleanup(nothing(), clean, {.shielded = true});
}

coro<> limits_in_and_around() {
    bool inner = false;
    co_await with_timeout(unit() / 10, limits_its_clean_up(inner));
    CHECK(inner);
    CHECK(current_task().cancelling() == 0);
    co_await yield();
}

coro<> never_begins(event_log& log) {
    const auto clean = [&log] { return logs(log, "clean"); };
    task<> t = create_task(with_cleanup(logs(log, "body"), clean));
    t.cancel();
    co_await ended(t);
    CHECK(t.cancelled());
}

}  // namespace

TEST_CASE("with_cleanup passes the checklist of waiting") {
    waiting_function wait =
        GENERATE(&waits_in_the_body, &waits_in_the_clean_up, &waits_in_the_body_of_a_callable);
    check_waiting(wait);
}

TEST_CASE("the clean-up runs whatever the body ends with, and its own error comes first") {
    on_workers(multi, [](unsigned workers) {
        run(outcomes(), {.workers = workers});
        run(a_value_that_cannot_be_moved(), {.workers = workers});
    });
}

TEST_CASE("with_cleanup keeps its callables for as long as their coroutines run") {
    on_workers(multi, [](unsigned workers) {
        run(captures(), {.workers = workers});
        run(bodies_of_other_kinds(), {.workers = workers});
    });
}

TEST_CASE("a second request interrupts a clean-up, unless that is shielded") {
    on_workers(multi, [](unsigned workers) {
        run(a_second_request(false), {.workers = workers});
        run(a_second_request(true), {.workers = workers});
    });
}

TEST_CASE("a request during a shielded clean-up is met at the next suspension") {
    on_workers(multi, [](unsigned workers) {
        run(a_request_while_shielded(), {.workers = workers});
        run(a_clean_up_that_cancels_its_task(), {.workers = workers});
    });
}

TEST_CASE("shielded clean-ups that are under way at shutdown come to their end") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> cleaned{0};
        run(leaves_what_cleans_up(cleaned, 20), {.workers = workers});
        // One that was cancelled before its first step has nothing to clean up.
        if (workers == 1) CHECK(cleaned == 20);
        CHECK(cleaned <= 20);
    });
}

TEST_CASE("shielded clean-ups in the children of a when_all") {
    on_workers(multi, [](unsigned workers) { run(cancelled_children(), {.workers = workers}); });
}

TEST_CASE("a shielded clean-up in a task that is awaited at once") {
    on_workers(multi, [](unsigned workers) { run(awaited_directly(), {.workers = workers}); });
}

TEST_CASE("a limit inside of a shielded clean-up ends it, one around it comes too late") {
    on_workers(multi, [](unsigned workers) { run(limits_in_and_around(), {.workers = workers}); });
}

TEST_CASE("a body that never begins is not cleaned up after") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(never_begins(log), {.workers = workers});
        CHECK(log.lines().empty());
    });
}
