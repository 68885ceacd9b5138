// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// when_all over a list in the caller's frame, which it borrows.
#include <signal.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/when_all.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<std::string> gives(std::string value, bool suspends) {
    if (suspends) co_await yield();
    co_return value;
}

coro<> nothing() { co_return; }

coro<> fails(const char* text) {
    throw std::runtime_error(text);
    co_return;
}

coro<> counts_a_beginning(std::atomic<int>& begun) {
    ++begun;
    co_return;
}

coro<> cancels_its_task(std::atomic<int>& begun) {
    ++begun;
    current_task().cancel();
    co_return;
}

/// One list of the caller's for several awaits: none, some and as many as it has room for.
coro<> children_in_place() {
    inplace_vector<coro<std::string>, 5> children;
    for (int count : {0, 3, 5}) {
        for (bool suspends : {false, true}) {
            for (int i = 0; i < count; ++i) {
                children.push_back(gives(std::to_string(i), suspends && i % 2 == 0));
            }
            inplace_vector<std::string, 5> values = co_await when_all(children);
            REQUIRE(values.size() == static_cast<std::size_t>(count));
            for (int i = 0; i < count; ++i) {
                CHECK(values[static_cast<std::size_t>(i)] == std::to_string(i));
            }
            CHECK(children.empty());
        }
    }
    inplace_vector<coro<>, 2> nameless;
    nameless.push_back(nothing());
    co_await when_all(nameless);
    co_await when_all(nameless);  // of none
    nameless.push_back(nothing());
    {
        auto never_awaited = when_all(nameless);
    }
    CHECK(nameless.size() == 1);
    nameless[0].close();
}

coro<> holds(std::shared_ptr<int> /*what*/, bool suspends) {
    if (suspends) co_await yield();
}

coro<> children_in_place_keep_nothing() {
    auto what = std::make_shared<int>(1);
    inplace_vector<coro<>, 64> children;  // more than a pooled frame has room for
    for (int i = 0; i < 64; ++i) children.push_back(holds(what, i % 7 == 0));
    CHECK(what.use_count() == 65);
    co_await when_all(children);
    CHECK(what.use_count() == 1);
}

coro<> cancelled_in_place(gate& g, std::atomic<int>& begun) {
    inplace_vector<coro<>, 3> children;
    children.push_back(cancels_its_task(begun));
    children.push_back(counts_a_beginning(begun));
    children.push_back(pass(g));
    bool was_cancelled = false;
    try {
        co_await when_all(children);
    } catch (const cancelled&) {
        was_cancelled = true;
    }
    CHECK(was_cancelled);
    CHECK(children.empty());
    current_task().uncancel();
    children.push_back(counts_a_beginning(begun));
    co_await when_all(children);
}

coro<> failure_in_place() {
    inplace_vector<coro<>, 3> children;
    gate g;
    children.push_back(pass(g));
    children.push_back(fails("in place"));
    children.push_back(pass(g));
    std::string what;
    try {
        co_await when_all(children);
    } catch (const std::runtime_error& error) {
        what = error.what();
    }
    CHECK(what == "in place");
    CHECK(children.empty());
}

coro<int> deep(int depth) {
    if (depth == 0) {
        co_await yield();
        co_return 1;
    }
    inplace_vector<coro<int>, 3> children;
    for (int i = 0; i < 3; ++i) children.push_back(deep(depth - 1));
    int sum = 0;
    for (const int one : co_await when_all(children)) sum += one;
    co_return sum;
}

coro<> changes_the_list() {
    inplace_vector<coro<>, 2> children;
    auto adds = [](inplace_vector<coro<>, 2>& to) -> coro<> {
        to.push_back(nothing());
        co_return;
    };
    children.push_back(adds(children));
    co_await when_all(children);
}

}  // namespace

TEST_CASE("when_all takes children from a list in place, which can be filled again") {
    on_workers(multi, [](unsigned workers) {
        run(children_in_place(), {.workers = workers});
        run(failure_in_place(), {.workers = workers});
        run(children_in_place_keep_nothing(), {.workers = workers});
        gate never;
        std::atomic<int> begun{0};
        run(cancelled_in_place(never, begun), {.workers = workers});
        CHECK(begun >= 2);
    });
}

TEST_CASE("children in place are stolen with all of theirs") {
    on_workers(multi, [](unsigned workers) { CHECK(run(deep(7), {.workers = workers}) == 2187); });
}

TEST_CASE("a list that is changed while its children run ends the process with a message") {
    const child_result result = in_child([] {
        run(changes_the_list(), {.workers = 1});
        return 0;
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("was changed during the await") != std::string::npos);
}
