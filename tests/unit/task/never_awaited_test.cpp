// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Coroutines that go before anybody awaited them, and who is told.
#include "weft/task/never_awaited.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "never_awaited_kit.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/weft.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> nothing() { co_return; }

void check_reports(unsigned workers, coro<> (*body)(), std::size_t count) {
    const std::vector<failure> reports = told_by(workers, body());
    INFO(text_of_all(reports));
    CHECK(reports.size() == count);
    for (const failure& each : reports) CHECK(each.what == failure::kind::never_awaited);
}

// What is reported ------------------------------------------------------------------------------

coro<> drops_one() {
    const auto one = forgotten(1);
    co_return;
}

coro<> drops_five() {
    static_cast<void>(forgotten(1));
    std::optional<coro<int>> held = forgotten(2);
    held.reset();
    coro<int> first = forgotten(3);
    coro<int> moved = std::move(first);
    coro<int> assigned = forgotten(4);
    assigned = forgotten(5);
    co_await yield();
}

coro<> drops_lists() {
    std::vector<coro<int>> list;
    for (int i = 0; i < 2; ++i) list.push_back(forgotten(i));
    co_await yield();
    auto all = when_all(std::move(list));
    auto first = when_any(forgotten(3), forgotten(4));
    std::vector<coro<int>> others;
    others.push_back(forgotten(5));
    auto any = when_any(std::move(others));
    auto limited = with_timeout(far, forgotten(6));
}

coro<> awaits_what_awaits_nothing() {
    co_await ends_before(forgotten(1));
    co_await create_task(ends_before(forgotten(2)));
}

// What is not -----------------------------------------------------------------------------------

coro<> awaits_and_starts() {
    int sum = co_await forgotten(1);
    coro<int> first = forgotten(2);
    coro<int> second = std::move(first);
    sum += co_await std::move(second);
    sum += co_await create_task(forgotten(3));
    sum += co_await create_task(forgotten, 4);
    sum += co_await create_task(forgotten(5), {.start = start_policy::eager});
    create_task(nothing());  // detached
    if (sum != 15) throw std::logic_error("sum");
}

coro<> combines() {
    std::vector<coro<int>> list;
    const auto fill = [&list]() -> std::vector<coro<int>> {
        list.clear();
        for (int i = 0; i < 5; ++i) list.push_back(after_one_turn(forgotten(i)));
        return std::move(list);
    };
    co_await gather(forgotten(1), forgotten(2));
    co_await gather(fill());
    co_await gather({.limit = 2}, fill());
    co_await gather_settled(fill());
    co_await when_all(forgotten(1), forgotten(2));
    co_await when_all(fill());
    inplace_vector<coro<int>, 2> place;
    place.push_back(forgotten(1));
    co_await when_all(place);
    co_await when_any(forgotten(1), forgotten(2), after_one_turn(forgotten(3)));
    co_await when_any(fill());
    for (auto& each : as_completed(fill())) co_await each;
    co_await shield(forgotten(1));
}

coro<> gives_to_scopes() {
    co_await with_timeout(far, forgotten(1));
    co_await wait_for(forgotten(1), far);
    co_await move_on_after(far, forgotten(1));
    co_await cancel_scope{}.run(forgotten(1));
    co_await with_cleanup(forgotten(1), nothing);
    const strand s;
    co_await s.run(forgotten(1));
    co_await s.create_task(forgotten(1));
    co_await retry({}, [] { return forgotten(1); });
    auto body = [](task_group& group) -> coro<> {
        group.create_task(forgotten(1));
        co_await after_one_turn(forgotten(2));
    };
    co_await task_group::run(body);
}

coro<> closes() {
    coro<int> one = forgotten(1);
    one.close();
    if (one.valid()) throw std::logic_error("valid");
    one.close();
    coro<int> other = after_one_turn(forgotten(2));
    coro<int> moved = std::move(other);
    other.close();
    if (!moved.valid()) throw std::logic_error("not valid");
    moved.close();  // with the one that it was given
    co_return;
}

}  // namespace

TEST_CASE(
    "a coroutine that nobody awaits is reported with its name and place, and who dropped it") {
    on_workers(multi, [](unsigned workers) {
        const std::vector<failure> reports = told_by(workers, drops_one());
        REQUIRE(reports.size() == 1);
        const failure& told = reports.front();
        CHECK(told.what == failure::kind::never_awaited);
        CHECK(told.exception == nullptr);
        CHECK(told.task_name.starts_with("Task-"));
        CHECK(told.chain.tasks.empty());
        CAPTURE(told.message);
        CHECK(told.message.find("forgotten(int)") != std::string::npos);
        const std::string place = "never_awaited_kit.hpp:" + std::to_string(line_of_forgotten);
        CHECK(told.message.find(" at " + place + " was never awaited: ") != std::string::npos);
        CHECK(told.message.ends_with(told.task_name + " has dropped it"));
    });
}

TEST_CASE("each coroutine is reported once, whatever held it") {
    on_workers(multi, [](unsigned workers) {
        check_reports(workers, drops_five, 5);
        check_reports(workers, drops_lists, 6);
        check_reports(workers, awaits_what_awaits_nothing, 2);
    });
}

TEST_CASE("a coroutine that is awaited or made a task is not reported") {
    on_workers(multi, [](unsigned workers) {
        check_silence(workers, awaits_and_starts);
        check_silence(workers, combines);
        check_silence(workers, gives_to_scopes);
    });
}

TEST_CASE("a coroutine that is closed is not reported, nor is what it was given") {
    on_workers(single, [](unsigned workers) { check_silence(workers, closes); });
}

TEST_CASE("close frees the arguments at once") {
    auto takes = [](std::shared_ptr<int>) -> coro<> { co_return; };
    const auto argument = std::make_shared<int>(1);
    coro<> c = takes(argument);
    CHECK(argument.use_count() == 2);
    c.close();
    CHECK(argument.use_count() == 1);
}

TEST_CASE("a failure handler that drops a coroutine itself is called once") {
    const auto workers = GENERATE(1u, 4u);
    const child_result result = in_child([workers] {
        int told = 0;
        {
            runtime r{{.workers = workers}};
            r.set_failure_handler([&told](const failure&) {
                ++told;
                static_cast<void>(forgotten(2));
                throw std::runtime_error("broken");
            });
            r.block_on(drops_one());
        }
        return told;
    });
    CHECK(result.exit_code == 1);
    CHECK(result.output.find("unhandled error in failure handler") != std::string::npos);
}

TEST_CASE("without a runtime on the thread the report is printed") {
    const child_result result = in_child([] {
        runtime r{{.workers = 1}};
        r.set_failure_handler([](const failure&) { ::_exit(3); });
        static_cast<void>(forgotten(1));
        return 0;
    });
    CHECK(result.exit_code == 0);
    CAPTURE(result.output);
    CHECK(result.output.starts_with("weft: "));
    CHECK(result.output.find("forgotten(int) at never_awaited_kit.hpp:") != std::string::npos);
    CHECK(result.output.ends_with(" was never awaited\n"));
    CHECK(std::ranges::count(result.output, '\n') == 1);
}

TEST_CASE("a coroutine that lives until the process ends is reported then") {
    const child_result result = in_exiting_child([] {
        static const coro<int> kept = forgotten(1);
        return kept.valid() ? 0 : 1;
    });
    CHECK(result.exit_code == 0);
    CHECK(result.output.ends_with(" was never awaited\n"));
}

TEST_CASE("a forked child reports what it drops by itself") {
    const auto workers = GENERATE(1u, 4u);
    const child_result result = in_child([workers] {
        auto forks = []() -> coro<int> {
            const pid_t child = ::fork();
            if (child == 0) {
                static_cast<void>(forgotten(1));
                ::_exit(0);
            }
            int status = 1;
            ::waitpid(child, &status, 0);
            co_return status;
        };
        runtime r{{.workers = workers}};
        r.set_failure_handler([](const failure&) { ::_exit(3); });
        return r.block_on(forks());
    });
    CHECK(result.exit_code == 0);
    CAPTURE(result.output);
    CHECK(result.output.find(" was never awaited") != std::string::npos);
}

TEST_CASE("a coroutine that a join runs cannot be closed") {
    const child_result result = in_child([] {
        auto closes_itself = [](inplace_vector<coro<>, 1>& list) -> coro<> {
            list[0].close();
            co_return;
        };
        auto body = [&closes_itself]() -> coro<> {
            inplace_vector<coro<>, 1> list;
            list.push_back(closes_itself(list));
            co_await when_all(list);
        };
        run(body(), {.workers = 1});
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("a coro was closed while a when_all runs it") != std::string::npos);
}
