// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section S: the failure handler, and what it is told of coroutines that nobody awaits.
#include "weft/task/failure.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/runtime_case.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<int> works() { co_return 7; }

coro<int> works_after(const char* text) {
    std::atomic<bool> called{false};
    call_soon([text] { throw std::runtime_error(text); });
    call_soon([&called] { called = true; });
    while (!called) co_await yield();
    co_return co_await create_task(works());
}

/// Exit status 0 if everything went on.
int breaks_its_handler(unsigned workers) {
    runtime r{{.workers = workers}};
    std::atomic<int> told{0};
    r.set_failure_handler([&told](const failure&) {
        ++told;
        throw std::domain_error("broken");
    });
    const bool goes_on =
        r.block_on(works_after("spam")) == 7 && r.block_on(works_after("ham")) == 7;
    while (told != 2) {
    }
    r.set_failure_handler({});
    return goes_on && r.block_on(works_after("eggs")) == 7 && told == 2 ? 0 : 1;
}

constexpr unsigned line_of_spam = __LINE__ + 1;
coro<int> spam(int value) { co_return value; }

coro<> forgets_one() {
    int sum = co_await spam(1);
    sum += co_await create_task(spam(2));
    static_cast<void>(spam(3));  // no await
    coro<int> awaited_later = spam(4);
    coro<int> closed = spam(5);
    closed.close();
    co_await yield();
    sum += co_await std::move(awaited_later);
    auto [one, other] = co_await gather(spam(6), spam(7));
    if (sum + one + other != 20) throw std::logic_error("sum");
}

}  // namespace

TEST_CASE("C211 a coroutine that is dropped without an await is reported once, with its origin") {
    on_workers(multi, [](unsigned workers) {
        failure_log reports;
        {
            runtime r{{.workers = workers}};
            reports.attach(r);
            r.block_on(forgets_one());
        }
        REQUIRE(reports.all().size() == 1);
        const failure told = reports.all().front();
        CHECK(told.what == failure::kind::never_awaited);
        CAPTURE(told.message);
        const std::string place = "section_s_handler_test.cpp:" + std::to_string(line_of_spam);
        CHECK(told.message.find("spam(int) at " + place + " was never awaited") !=
              std::string::npos);
    });
}

TEST_CASE("C212 a failure handler that throws is reported, and everything goes on") {
    for (unsigned workers : multi) {
        const child_result result = in_child([workers] { return breaks_its_handler(workers); });
        CHECK(result.exit_code == 0);
        const auto contains = [&result](const char* text) {
            return result.output.find(text) != std::string::npos;
        };
        CHECK(contains("unhandled error in failure handler"));
        CHECK(contains("spam"));
        CHECK(contains("ham"));
        CHECK(contains("eggs"));  // by the default
    }
}
