// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/task.hpp"

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

// Two cache lines: what queues, wakes and resumes it, and its end.
static_assert(sizeof(void*) != 8 || sizeof(weft::detail::task_record<std::uint64_t>) == 128);

namespace {

/// It cannot be copied, and does not say so.
struct owner_of_many {
    std::vector<std::unique_ptr<int>> owned;
};

}  // namespace

template <>
struct weft::is_copyable<owner_of_many> : std::false_type {};

namespace {

using lines = std::vector<std::string>;

coro<> awaits_a_task(gate& g) {
    task<> t = create_task(pass(g));
    co_await t;
}

coro<> awaits_a_chain(gate& g) { co_await create_task(awaits_a_task(g)); }

coro<> awaits_a_coroutine(gate& g) { co_await pass(g); }

coro<int> five() { co_return 5; }

coro<> fails(const char* text) {
    throw std::runtime_error(text);
    co_return;
}

coro<> logs_after(task<> t, event_log& log, std::string name) {
    co_await t;
    log.add(name);
}

coro<> awaiters_in_order(event_log& log) {
    gate g;
    task<> t = create_task(pass(g));
    std::vector<task<>> awaiters;
    for (const char* name : {"1", "2", "3", "4"}) {
        awaiters.push_back(create_task(logs_after(t, log, name)));
    }
    for (int i = 0; i < 5; ++i) co_await yield();
    g.open();
    for (task<>& a : awaiters) co_await a;
}

coro<> awaiting_the_same_task_often() {
    task<int> t = create_task(five());
    int& first = co_await t;
    first = 6;
    int& second = co_await t;
    CHECK(&first == &second);
    int moved = co_await std::move(t);
    CHECK(moved == 6);
    CHECK_FALSE(static_cast<bool>(t));
}

/// Counts how often it was copied.
struct counts_copies {
    explicit counts_copies(int& count) noexcept : copies(&count) {}
    counts_copies(const counts_copies& other) : copies(other.copies) { ++*copies; }
    counts_copies(counts_copies&&) noexcept = default;
    counts_copies& operator=(const counts_copies&) = delete;
    int* copies;
};

coro<counts_copies> gives_what_counts(int& copies) {
    co_await yield();
    co_return counts_copies{copies};
}

using pointers = std::vector<std::unique_ptr<int>>;

template <class T>
coro<T> gives_what_claims_to_be_copyable() {
    co_await yield();
    co_return T{};
}

const std::string long_text = "a text that is too long for the small one";

coro<std::string> gives_long_text() {
    co_await yield();
    co_return long_text;
}

coro<std::string> awaits_its_copy(task<std::string> t) { co_return co_await std::move(t); }

coro<std::string> awaits_a_new_handle(const promise<std::string>& p) {
    co_return co_await p.get_future();
}

/// Whoever moves a handle into its await takes nothing from those who have another.
coro<> several_take_one_value(bool alone) {
    task<std::string> t = create_task(gives_long_text());
    promise<std::string> p;
    std::vector<task<std::string>> takers;
    for (int i = 0; i < 4; ++i) {
        takers.push_back(create_task(awaits_its_copy(t)));
        takers.push_back(create_task(awaits_a_new_handle(p)));
    }
    co_await yield();
    p.set_result(long_text);
    for (const task<std::string>& taker : takers) {
        const std::string& taken = co_await taker;
        CHECK(taken == long_text);
    }
    CHECK(t.result() == long_text);
    CHECK(p.get_future().result() == long_text);
    int copies = 0;
    static_cast<void>(co_await create_task(gives_what_counts(copies)));
    task<counts_copies> kept = create_task(gives_what_counts(copies));
    co_await ended(kept);
    static_cast<void>(co_await std::move(kept));
    static_cast<void>(
        co_await create_task(gives_what_claims_to_be_copyable<std::vector<pointers>>()));
    static_cast<void>(co_await create_task(
        gives_what_claims_to_be_copyable<std::optional<std::pair<int, pointers>>>()));
    static_cast<void>(co_await create_task(
        gives_what_claims_to_be_copyable<std::variant<int, std::tuple<pointers>>>()));
    static_cast<void>(co_await create_task(gives_what_claims_to_be_copyable<owner_of_many>()));
    if (alone) CHECK(copies == 0);  // with others, who ends a task may hold it for a moment more
}

struct throws_when_moved {
    throws_when_moved() = default;
    throws_when_moved(const throws_when_moved&) = default;
    throws_when_moved(throws_when_moved&&) { throw std::runtime_error("cannot be moved"); }
    throws_when_moved& operator=(const throws_when_moved&) = default;
};

coro<throws_when_moved> returns_what_cannot_move() {
    const throws_when_moved value;
    co_return value;
}

coro<> result_that_cannot_be_kept() {
    auto t = create_task(returns_what_cannot_move());
    co_await ended(t);
    CHECK(text_of(t.exception()) == "cannot be moved");
}

coro<> names_and_numbers() {
    task<int> a = create_task(five());
    task<int> b = create_task(five(), {.name = "b"});
    CHECK(b.id() > a.id());
    CHECK(a.name() == "Task-" + std::to_string(a.id()));
    CHECK(b.name() == "b");
    b.set_name("c");
    CHECK(b.name() == "c");
    any_task same = b;
    CHECK(same == b);
    CHECK_FALSE(same == a);
    CHECK(current_task().id() < a.id());
    CHECK(std::string{a.location().function_name()}.find("five") != std::string::npos);
    co_await gather(a, b);
}

coro<> awaits(task<> t) { co_await t; }

coro<> keeps_argument(std::shared_ptr<int> argument, gate& g) {
    co_await g;
    static_cast<void>(argument);
}

coro<> arguments_go_first() {
    gate g;
    auto argument = std::make_shared<int>(1);
    auto callable = [argument](gate& inner) -> coro<> { co_await inner; };
    task<> t = create_task(keeps_argument(argument, g));
    task<> u = create_task(std::move(callable), std::ref(g));
    CHECK(argument.use_count() == 3);
    g.open();
    co_await t;
    CHECK(argument.use_count() <= 2);
    co_await u;
    CHECK(argument.use_count() == 1);
}

/// Tasks that await each other in a circle, once all of them wait.
coro<std::vector<task<>>> circle(std::size_t size) {
    struct link {
        gate go;
        task<> next;
    };
    auto links = std::make_shared<std::vector<std::unique_ptr<link>>>();
    std::vector<task<>> tasks;
    auto waits = [](std::shared_ptr<std::vector<std::unique_ptr<link>>> all,
                    std::size_t i) -> coro<> {
        link& mine = *(*all)[i];
        co_await mine.go;
        task<> next = std::exchange(mine.next, {});
        all.reset();
        co_await next;
    };
    for (std::size_t i = 0; i < size; ++i) links->push_back(std::make_unique<link>());
    for (std::size_t i = 0; i < size; ++i) tasks.push_back(create_task(waits, links, i));
    for (std::size_t i = 0; i < size; ++i) (*links)[i]->next = tasks[(i + 1) % size];
    for (std::size_t i = 0; i < size; ++i) (*links)[i]->go.open();
    for (int i = 0; i < 20; ++i) co_await yield();
    co_return tasks;
}

coro<> cancels_a_circle(std::size_t size) {
    std::vector<task<>> tasks = co_await circle(size);
    CHECK(tasks[0].cancel("break it"));
    for (task<>& t : tasks) {
        co_await ended(t);
        CHECK(t.cancelled());
    }
}

coro<> leaves_a_circle(std::size_t size) { co_await circle(size); }

coro<> many_unobserved() {
    for (int i = 0; i < 100; ++i) create_task(fails("nobody looks"));
    while (all_tasks().size() > 1) co_await yield();
}

coro<int> awaits_twice() {
    coro<int> c = five();
    int first = co_await std::move(c);
    co_return first + co_await std::move(c);  // NOLINT(bugprone-use-after-move): the point
}

}  // namespace

TEST_CASE("awaiting a task passes the checklist of waiting") {
    waiting_function wait = GENERATE(&awaits_a_task, &awaits_a_chain, &awaits_a_coroutine);
    check_waiting(wait);
}

TEST_CASE("the awaiters of a task resume in the order in which they came") {
    on_workers(single, [](unsigned workers) {
        event_log log;
        run(awaiters_in_order(log), {.workers = workers});
        CHECK(log.lines() == lines{"1", "2", "3", "4"});
    });
}

TEST_CASE("a value is moved out by the last who holds the task, and copied for the others") {
    on_workers(multi, [](unsigned workers) {
        run(several_take_one_value(workers == 1), {.workers = workers});
    });
}

TEST_CASE("a task's value is one object until it is moved out") {
    on_workers(multi,
               [](unsigned workers) { run(awaiting_the_same_task_often(), {.workers = workers}); });
}

TEST_CASE("a result whose move throws is the task's exception") {
    on_workers(multi,
               [](unsigned workers) { run(result_that_cannot_be_kept(), {.workers = workers}); });
}

TEST_CASE("names, ids and places of tasks") {
    on_workers(multi, [](unsigned workers) { run(names_and_numbers(), {.workers = workers}); });
}

TEST_CASE("a body's arguments are destroyed before anybody learns that the task is done") {
    on_workers(multi, [](unsigned workers) { run(arguments_go_first(), {.workers = workers}); });
}

TEST_CASE("a circle of tasks that await each other ends when one is cancelled") {
    std::size_t size = GENERATE(2u, 3u, 50u);
    on_workers(multi,
               [size](unsigned workers) { run(cancels_a_circle(size), {.workers = workers}); });
}

TEST_CASE("a circle of tasks ends when the runtime closes") {
    std::size_t size = GENERATE(2u, 7u);
    on_workers(multi,
               [size](unsigned workers) { run(leaves_a_circle(size), {.workers = workers}); });
}

TEST_CASE("tasks are created inside tasks only") {
    leak_check clean;
    CHECK_THROWS_AS(create_task(five()), usage_error);
    CHECK_THROWS_AS(all_tasks(), usage_error);
    CHECK_THROWS_AS(current_task(), usage_error);
}

TEST_CASE("a handle outlives its runtime") {
    on_workers(multi, [](unsigned workers) {
        task<int> value;
        task<> failed;
        task<> stopped;
        gate never;
        {
            runtime r{{.workers = workers}};
            value = r.spawn(five(), {.name = "five"});
            failed = r.spawn(fails("late"));
            stopped = r.spawn(pass(never));
            r.block_on(ended(failed));
            while (never.waiting() == 0) std::this_thread::yield();
        }
        CHECK(value.name() == "five");
        CHECK(outcome_of(failed) == "late");
        CHECK(outcome_of(stopped) == "cancelled");
        CHECK_FALSE(stopped.cancel());
        CHECK(value.cancelling() <= 1);
        CHECK_THROWS_AS(value.add_done_callback([](any_task) {}), runtime_closed);
        CHECK_FALSE(value.remove_done_callback(1));
        // Another runtime may still await it.
        CHECK_THROWS_WITH(run(awaits(failed), {.workers = workers}), "late");
    });
}

// Nothing but the exception's own count orders the two threads: under TSan, exception_edges.cpp.
TEST_CASE("an error is read on one thread and dropped last on another") {
    task<> failed;
    run([&]() -> coro<> {
        failed = create_task(fails("a text that no string keeps within itself"));
        co_await ended(failed);
    }());
    std::size_t length = 0;
    std::atomic<bool> read{false};
    std::jthread reader{[&, error = failed.exception()]() mutable {
        try {
            std::rethrow_exception(std::move(error));
        } catch (const std::exception& e) {
            length = std::string{e.what()}.size();
        }
        read.store(true, std::memory_order_relaxed);
    }};
    while (!read.load(std::memory_order_relaxed)) std::this_thread::yield();
    failed = {};
    reader.join();
    CHECK(length == 41);
}

TEST_CASE("an exception is reported even if the last handle goes after the runtime") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        task<> failed;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            failed = r.spawn(fails("late"), {.name = "survivor"});
            r.block_on(ended(failed));
        }
        CHECK(reports.all().empty());
        failed = {};
        REQUIRE(reports.all().size() == 1);
        CHECK(reports.all()[0].task_name == "survivor");
    });
}

TEST_CASE("a failure handler may ask for the current task and start nothing by accident") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> reports{0};
        std::atomic<int> alive{0};
        {
            runtime r{{.workers = workers}};
            r.set_failure_handler([&](const failure& what) {
                any_task here = current_task();
                if (here && !here.done()) ++alive;
                if (here && here.name() == what.task_name) alive = -1000;
                ++reports;
            });
            r.block_on(many_unobserved());
        }
        CHECK(reports == 100);
        CHECK(alive >= 0);
    });
}

TEST_CASE("a failure handler may cause a failure and replace itself") {
    runtime r{{.workers = 1}};
    std::vector<std::string> heard;
    task<> second = r.spawn(fails("second"), {.name = "second"});
    r.block_on(ended(second));
    r.set_failure_handler([&](const failure& what) {
        heard.push_back(what.task_name);
        r.set_failure_handler(
            [&heard](const failure& later) { heard.push_back("then " + later.task_name); });
        second = {};
        heard.push_back("end of " + what.task_name);
    });
    task<> first = r.spawn(fails("first"), {.name = "first"});
    r.block_on(ended(first));
    first = {};
    CHECK(heard == std::vector<std::string>{"first", "then second", "end of first"});
}

TEST_CASE("one runtime awaits another's task") {
    on_workers(multi, [](unsigned workers) {
        gate g;
        runtime first{{.workers = workers}};
        runtime second{{.workers = workers}};
        task<> source = first.spawn(pass(g));
        task<> awaiter = second.spawn(awaits(source));
        task<> other = second.spawn(awaits(source));
        while (g.waiting() == 0) std::this_thread::yield();
        g.open();
        second.block_on(ended(awaiter));
        second.block_on(ended(other));
        CHECK(outcome_of(awaiter) == "value");
        CHECK(outcome_of(other) == "value");
    });
}

TEST_CASE("an empty handle and a moved-from coroutine are refused with a sentence") {
    child_result empty = in_child([] {
        task<int> none;
        return none.done() ? 1 : 0;
    });
    CHECK(empty.signal == SIGABRT);
    CHECK(empty.output.find("handle is empty") != std::string::npos);
    child_result moved = in_child([] {
        coro<int> c = five();
        coro<int> taken = std::move(c);
        return run(std::move(c), {.workers = 1});  // NOLINT(bugprone-use-after-move): the point
    });
    CHECK(moved.signal == SIGABRT);
    CHECK(moved.output.find("moved from") != std::string::npos);
    child_result twice = in_child([] { return run(awaits_twice(), {.workers = 1}); });
    CHECK(twice.signal == SIGABRT);
    CHECK(twice.output.find("awaited before") != std::string::npos);
}
