// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sched/task_dump.hpp"

#include <algorithm>
#include <thread>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dump = std::vector<task_description>;

const task_description* find(const dump& tasks, const any_task& t) {
    const auto found = std::ranges::find(tasks, t.id(), &task_description::id);
    return found == tasks.end() ? nullptr : &*found;
}

bool all_wait(const dump& tasks, std::initializer_list<any_task> wanted) {
    return std::ranges::all_of(wanted, [&](const any_task& t) {
        const task_description* told = find(tasks, t);
        return told != nullptr && told->phase == task_phase::waiting;
    });
}

coro<> awaits(task<> other) { co_await other; }

coro<> dumps_from_inside() {
    gate g;
    task<> low = create_task(pass(g), {.name = "low", .priority = priority::background});
    task<> up = create_task(awaits(low), {.name = "up"});
    task<> nap = create_task(coro_sleep(far), {.name = "nap"});
    dump tasks = dump_tasks();
    while (!all_wait(tasks, {low, up, nap})) {
        co_await yield();
        tasks = dump_tasks();
    }
    CHECK(tasks.size() == 4);
    CHECK(std::ranges::is_sorted(tasks, {}, &task_description::id));
    const task_description* main = find(tasks, current_task());
    REQUIRE(main != nullptr);
    CHECK(main->phase == task_phase::running);
    CHECK(main->worker.has_value());
    CHECK(find(tasks, low)->priority == priority::background);
    CHECK(find(tasks, low)->is_awaited);
    CHECK_FALSE(find(tasks, nap)->is_awaited);
    CHECK(find(tasks, nap)->at.waits_for == "timer");
    CHECK(find(tasks, up)->at.tasks.at(0).name == "low");
    nap.cancel();
    g.open();
    co_await up;
    co_await ended(nap);
    CHECK(dump_tasks().size() == 1);
}

/// Is awaited directly by the main task, where there is one worker.
coro<> looks_at_who_awaits(any_task main, bool& waits) {
    const dump tasks = dump_tasks();
    const task_description* told = find(tasks, main);
    waits = told != nullptr && told->phase == task_phase::waiting && told->at.tasks.size() == 1 &&
            told->at.tasks[0].id == current_task().id();
    co_return;
}

coro<> awaits_the_looker(bool& waits) {
    task<> looker = create_task(looks_at_who_awaits(current_task(), waits));
    co_await looker;
}

coro<> is_asked_to_stop(gate& g, gate& begun) {
    try {
        co_await g;
    } catch (const cancelled&) {
        begun.open();
    }
    gate never;
    co_await never;
}

coro<> dumps_what_was_asked() {
    gate g;
    gate begun;
    task<> t = create_task(is_asked_to_stop(g, begun));
    while (g.waiting() == 0) co_await yield();
    t.cancel();
    co_await begun;
    CHECK(find(dump_tasks(), t)->cancel_requests == 1);
    CHECK(to_text(dump_tasks()).find("asked to stop") != std::string::npos);
    t.cancel();
    co_await ended(t);
}

coro<> waits_under(std::string name, std::string& json) {
    gate g;
    task<> t = create_task(pass(g), {.name = name});
    while (!all_wait(dump_tasks(), {t})) co_await yield();
    json = to_json(dump_tasks());
    g.open();
    co_await t;
}

std::string json_with(const std::string& name) {
    std::string json;
    run(waits_under(name, json), {.workers = 1});
    return json;
}

/// One that is old, one that is young, and the main task, which no worker created.
coro<> compares_ages() {
    gate g;
    task<> old = create_task(pass(g));
    co_await sleep(10 * unit() / 4);
    const stopwatch since;
    task<> young = create_task(pass(g));
    co_await sleep(unit() / 4);
    const dump tasks = dump_tasks();
    const auto most = since.elapsed();
    const auto age_of = [&](const any_task& t) { return find(tasks, t)->age; };
    CHECK(age_of(young) <= most);
    CHECK(age_of(young) >= unit() / 8);
    CHECK(age_of(old) >= 2 * unit());  // an eighth short at most, and it is more than that
    CHECK(age_of(old) > age_of(young));
    CHECK(age_of(current_task()) >= 2 * unit());
    g.open();
    co_await old;
    co_await young;
}

}  // namespace

TEST_CASE("a dump shows how old tasks are, within limits") {
    on_workers(multi, [](unsigned workers) { run(compares_ages(), {.workers = workers}); });
}

TEST_CASE("a dump shows every live task and what it waits for") {
    on_workers(multi, [](unsigned workers) { run(dumps_from_inside(), {.workers = workers}); });
}

TEST_CASE("a dump shows who awaits the task that asks for it") {
    bool waits = false;
    run(awaits_the_looker(waits), {.workers = 1});
    CHECK(waits);
}

TEST_CASE("a dump shows who has been asked to stop") {
    on_workers(multi, [](unsigned workers) { run(dumps_what_was_asked(), {.workers = workers}); });
}

TEST_CASE("a dump from a foreign thread shows tasks that keep every worker") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<bool> enough{false};
        std::atomic<unsigned> busy{0};
        runtime r{{.workers = workers, .slow_run = 0ns, .rescue_workers = 0}};
        auto keeps = [](std::atomic<bool>& until, std::atomic<unsigned>& count) -> coro<> {
            ++count;
            while (!until) detail::real_environment::relax();
            co_return;
        };
        std::vector<task<>> tasks;
        for (unsigned i = 0; i < workers; ++i) tasks.push_back(r.spawn(keeps(enough, busy)));
        while (busy != workers) std::this_thread::yield();
        const dump seen = dump_tasks(r);
        enough = true;
        CHECK(seen.size() == workers);
        for (const task_description& each : seen) {
            CHECK(each.phase == task_phase::running);
            REQUIRE(each.worker.has_value());
            CHECK(*each.worker < workers);
        }
    });
}

TEST_CASE("a dump outside a task names what to do") {
    CHECK_THROWS_AS(dump_tasks(), usage_error);
    CHECK_THROWS_AS(find_deadlocks(), usage_error);
}

TEST_CASE("a dump is empty once the runtime is closed") {
    runtime r{{.workers = 2}};
    r.block_on(coro_sleep(1ms));
    r.close();
    CHECK(dump_tasks(r).empty());
    CHECK(to_text(dump_tasks(r)).empty());
    CHECK(to_json(dump_tasks(r)) == R"({"tasks":[]})");
}

TEST_CASE("the JSON of a dump is one object with a field for everything") {
    const std::string json = json_with("plain");
    for (const char* part :
         {R"({"tasks":[{"id":)", R"("name":"plain")", R"("phase":"waiting")", R"("worker":null)",
          R"("phase":"running","worker":0)", R"("priority":"normal")", R"("cancel_requests":0)",
          R"("age_ns":)", R"("is_awaited":false)", R"("coroutines":[{"function":")",
          R"("waits_for":"event")", R"("tasks":[])", R"("one_is_enough":false)", R"("children":[])",
          R"("is_cut":false})"}) {
        INFO(part << " in " << json);
        CHECK(json.find(part) != std::string::npos);
    }
}

TEST_CASE("names are escaped in JSON") {
    using pair = std::pair<std::string, std::string>;
    const auto [name, expected] = GENERATE(pair{"a\"b\\c", R"("name":"a\"b\\c")"},
                                           pair{"a\nb\x01", R"("name":"a\u000ab\u0001")"},
                                           pair{"gr\xc3\xbc\xc3\x9f"
                                                "e \xf0\x9f\xa7\xb5",
                                                "\"name\":\"gr\xc3\xbc\xc3\x9f"
                                                "e \xf0\x9f\xa7\xb5\""},
                                           pair{"\xff"
                                                "a\xc3",
                                                R"("name":"\ufffda\ufffd")"},
                                           pair{"\xed\xa0\x80", R"("name":"\ufffd\ufffd\ufffd")"},
                                           pair{"\xc0\xaf", R"("name":"\ufffd\ufffd")"});
    INFO(name);
    CHECK(json_with(name).find(expected) != std::string::npos);
}

namespace {

coro<> never_stops(gate& g) {
    for (;;) {
        try {
            co_await g;
        } catch (const cancelled&) {
        }
    }
}

coro<> leaves_a_stubborn_task(gate& g) {
    create_task(never_stops(g), {.name = "stubborn"});
    while (g.waiting() == 0) co_await yield();
}

}  // namespace

TEST_CASE("what does not stop before the deadline of shutdown is told with its await chain") {
    child_result result = in_child([] {
        failure_log log;
        auto* g = new gate;  // the task stays in it
        runtime r{{.workers = 2, .shutdown_timeout = std::chrono::milliseconds{20}}};
        log.attach(r);
        r.block_on(leaves_a_stubborn_task(*g));
        r.close();
        const auto all = log.all();
        if (all.size() != 1 || all[0].what != failure::kind::stuck) return 1;
        const auto& tasks = all[0].chain.tasks;
        if (tasks.size() != 1 || tasks[0].at.waits_for != "event") return 2;
        if (tasks[0].at.coroutines.size() != 1) return 3;
        if (all[0].message.find("never_stops") == std::string::npos) return 4;
        if (!all[0].message.ends_with(" > event")) return 5;
        r.set_failure_handler({});
        return 0;
    });
    CHECK(result.exit_code == 0);
}

namespace {

coro<> leaves_two(gate& g) {
    task<> awaited = create_task(pass(g), {.name = "awaited"});
    create_task(awaits(awaited), {.name = "forgotten"});
    while (!find(dump_tasks(), awaited)->is_awaited) co_await yield();
}

}  // namespace

TEST_CASE("a runtime reports the tasks that nobody awaits when it closes, if that is wanted") {
    on_workers(multi, [](unsigned workers) {
        const bool wanted = workers != 1;
        gate g;
        failure_log log;
        runtime r{{.workers = workers, .report_unawaited = wanted}};
        log.attach(r);
        r.block_on(leaves_two(g));
        r.close();
        REQUIRE(log.all().size() == (wanted ? 1 : 0));
        if (!wanted) return;
        const failure what = log.all()[0];
        CHECK(what.what == failure::kind::not_awaited);
        CHECK(what.task_name == "forgotten");
        CHECK(what.chain.tasks.size() == 2);
        CHECK(what.message.find("awaited by nobody") != std::string::npos);
    });
}
