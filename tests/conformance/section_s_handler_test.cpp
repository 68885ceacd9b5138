// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Section S: the failure handler.
#include "weft/task/failure.hpp"

#include <atomic>
#include <stdexcept>

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

}  // namespace

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
