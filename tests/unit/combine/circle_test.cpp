// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that wait for each other in a circle through a gather: nothing but a cancellation can ever
// end them, and a cancellation must.
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/gather.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> nothing() { co_return; }

coro<> awaits(gate& ready, const task<>& other) {
    co_await ready;
    co_await other;
}

coro<> gathers(gate& ready, const task<>& other) {
    co_await ready;
    task<> done = create_task(nothing());
    co_await gather(done, other);
}

coro<> settles(gate& ready, const task<>& other) {
    co_await ready;
    task<> bystander = create_task(coro_sleep(std::chrono::milliseconds{20}));
    co_await gather_settled(bystander, other);
}

coro<> with_a_limit(gate& ready, const task<>& other) {
    co_await with_timeout(far, awaits(ready, other));
}

coro<> forks(gate& ready, const task<>& other) {
    co_await when_all(with_a_limit(ready, other), nothing());
}

using way = coro<> (*)(gate&, const task<>&);

coro<> cancels_a_circle_of(way left_way, way right_way, bool cancel_left) {
    gate ready;
    task<> left;
    task<> right;
    left = create_task(left_way(ready, right));
    right = create_task(right_way(ready, left));
    ready.open();
    for (int i = 0; i < 20; ++i) co_await yield();  // mostly, the circle is closed by then
    task<>& chosen = cancel_left ? left : right;
    CHECK(chosen.cancel("the circle"));
    co_await ended(left);
    co_await ended(right);
    CHECK(chosen.cancelled());
}

}  // namespace

TEST_CASE("a circle of tasks through gathers and forks ends when one is cancelled") {
    way left = GENERATE(&awaits, &gathers, &settles, &forks);
    way right = GENERATE(&awaits, &gathers, &settles, &forks);
    bool cancel_left = GENERATE(true, false);
    on_workers(multi, [&](unsigned workers) {
        run(cancels_a_circle_of(left, right, cancel_left), {.workers = workers});
    });
}

namespace {

coro<> gathers_beside(task<>& bystander, const task<>& other) {
    bystander = create_task(coro_sleep(far));
    co_await gather_settled(bystander, other);
}

coro<> cancels_one_with_a_bystander() {
    task<> bystander;
    task<> left;
    task<> right;
    left = create_task(gathers_beside(bystander, right));
    right = create_task([](const task<>& other) -> coro<> { co_await other; }(left));
    for (int i = 0; i < 20; ++i) co_await yield();
    CHECK(left.cancel());
    co_await ended(left);
    CHECK(bystander.cancelled());
}

}  // namespace

TEST_CASE("a gather in a circle hands a request to its other children before it ends") {
    run(cancels_one_with_a_bystander(), {.workers = 1});  // in order: the circle is closed
}

TEST_CASE("a circle of tasks that gather each other ends when the runtime closes") {
    on_workers(multi, [](unsigned workers) {
        runtime r{{.workers = workers}};
        gate ready;
        task<> left;
        task<> right;
        left = r.spawn(gathers(ready, right));
        right = r.spawn(gathers(ready, left));
        ready.open();
        r.close();
        CHECK(left.done());
        CHECK(right.done());
    });
}
