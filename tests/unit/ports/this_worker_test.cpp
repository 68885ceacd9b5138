// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/ports/ports.hpp"

#include <thread>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> looks_at_its_worker() {
    detail::worker_port* first = detail::this_worker();
    CHECK(first != nullptr);
    co_await yield();
    CHECK(detail::this_worker() != nullptr);
    CHECK(&detail::this_worker()->runtime() == &first->runtime());
    CHECK_FALSE(detail::this_worker()->current.is_empty());
}

}  // namespace

TEST_CASE("a thread is a worker only while it runs a worker's loop") {
    on_workers(multi, [](unsigned workers) {
        CHECK(detail::this_worker() == nullptr);
        run(looks_at_its_worker(), {.workers = workers});
        CHECK(detail::this_worker() == nullptr);
        bool is_worker = true;
        std::thread{[&is_worker] { is_worker = detail::this_worker() != nullptr; }}.join();
        CHECK_FALSE(is_worker);
    });
}
