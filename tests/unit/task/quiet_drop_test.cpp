// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Coroutines that go unawaited without anybody being told: where an exception or a cancellation is
// the reason, or weft itself has no use for them.
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "never_awaited_kit.hpp"
#include "support/child_process.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

coro<> unwinds() {
    const auto sum = [](coro<int> body, int value) {
        body.close();
        return value;
    };
    try {
        static_cast<void>(sum(forgotten(1), throws()));
    } catch (const std::runtime_error&) {
    }
    try {
        const auto kept = forgotten(2);
        throws();
    } catch (const std::runtime_error&) {
    }
    try {
        std::vector<coro<int>> none;
        none.push_back(forgotten(3));
        co_await gather({.limit = 0}, std::move(none));
    } catch (const std::invalid_argument&) {
    }
    co_await yield();
}

coro<> keeps_while_cancelled(gate& reached, bool& ran) {
    const coro<int> kept = forgotten(1);
    reached.open();
    co_await sleep(far);
    ran = true;
}

coro<> is_cancelled() {
    gate reached;
    bool ran = false;
    task<> t = create_task(keeps_while_cancelled(reached, ran));
    co_await reached;
    t.cancel();
    co_await ended(t);
    task<> not_begun = create_task(sleeps_before(forgotten(1)));
    not_begun.cancel();
    task<int> adapted = create_task(wait_for(forgotten(2), far));
    adapted.cancel();
    task<> begun = create_task(sleeps_before(forgotten(3)));
    co_await sleep(1ms);
    begun.cancel();
    co_await ended(not_begun);
    co_await ended(adapted);
    co_await ended(begun);
    if (ran) throw std::logic_error("ran");
}

coro<> is_refused() {
    const auto refused = [](auto start) {
        try {
            start();
        } catch (const usage_error&) {
            return;
        } catch (const std::invalid_argument&) {
            return;
        }
        throw std::logic_error("not refused");
    };
    refused([] { create_task(forgotten(1), {.priority = static_cast<priority>(9)}); });
    std::optional<task_group> kept;
    auto body = [](task_group& group, std::optional<task_group>& copy) -> coro<> {
        copy = group;
        co_return;
    };
    co_await task_group::run(body, std::ref(kept));
    refused([&kept] { kept->create_task(after_one_turn(forgotten(1))); });
    refused([&kept] { kept->create_task(forgotten, 1); });
}

/// A failure keeps the window's others from beginning; they go with the gather, later.
coro<> fails_in_a_window() {
    std::vector<coro<int>> list;
    list.push_back(fails_before(forgotten(0)));
    for (int i = 0; i < 5; ++i) list.push_back(after_one_turn(forgotten(i)));
    auto all = gather({.limit = 1}, std::move(list));
    bool failed = false;
    try {
        co_await all;
    } catch (const std::runtime_error&) {
        failed = true;
    }
    if (!failed) throw std::logic_error("no failure");
}

coro<> limits() {
    gate never;
    int timeouts = 0;
    for (int i = 0; i < 2; ++i) {
        const std::chrono::milliseconds limit{i};
        try {
            co_await wait_for(after(never, forgotten(1)), limit);
        } catch (const timeout_error&) {
            ++timeouts;
        }
        const auto moved_on = co_await move_on_after(limit, after(never, forgotten(2)));
        if (!moved_on) ++timeouts;
        const auto left = co_await cancel_scope{limit}.run(after(never, forgotten(3)));
        if (!left) ++timeouts;
    }
    if (timeouts != 6) throw std::logic_error("timeouts");
}

coro<> loses_to_the_first() {
    gate never;
    co_await when_any(forgotten(1), after(never, forgotten(2)), after(never, forgotten(3)));
    std::vector<coro<int>> list;
    for (int i = 0; i < 4; ++i) list.push_back(after(never, forgotten(i)));
    list.push_back(forgotten(4));
    co_await when_any(std::move(list));
    try {
        co_await when_all(fails_before(forgotten(5)), after(never, forgotten(6)));
    } catch (const std::runtime_error&) {
    }
}

coro<> stops_a_group() {
    gate never;
    auto body = [](task_group& group, gate& g, coro<int> mine) -> coro<> {
        group.create_task(after(g, forgotten(1)));
        group.create_task(after(g, forgotten(2)));  // has no turn
        co_await yield();
        group.cancel();
        co_await g;
        static_cast<void>(co_await std::move(mine));
    };
    co_await task_group::run({.limit = 1}, body, std::ref(never), forgotten(3));
}

coro<> leaves_a_strand() {
    gate go;
    const strand s;
    task<> holder = s.create_task(pass(go));
    co_await yield();
    task<int> runs = create_task(s.run(forgotten(1)));
    task<int> queued = s.create_task(forgotten(2));
    co_await sleep(1ms);
    runs.cancel();
    queued.cancel();
    co_await ended(runs);
    co_await ended(queued);
    go.open();
    co_await holder;
}

coro<> calls_nothing() {
    const timer_handle later = call_later(far, [c = forgotten(1)]() mutable { c.close(); });
    later.cancel();
    call_later(far, [c = forgotten(2)]() mutable { c.close(); });  // dropped by the end
    task<> t = create_task(coro_sleep(1ms));
    const auto token = t.add_done_callback([c = forgotten(3)](any_task) mutable { c.close(); });
    t.remove_done_callback(token);
    co_await t;
}

coro<promise<int>> calls_once_set() {
    promise<int> set_later;
    set_later.get_future().add_done_callback(
        [c = forgotten(1)](const future<int>&) mutable { c.close(); });
    co_return std::move(set_later);
}

coro<> leaves_tasks_behind() {
    for (int i = 0; i < 4; ++i) create_task(sleeps_before(forgotten(i)));
    co_await sleep(1ms);
    for (int i = 0; i < 4; ++i) create_task(sleeps_before(forgotten(i)));
}

}  // namespace

TEST_CASE("an exception that unwinds the stack past a coroutine says enough") {
    on_workers(multi, [](unsigned workers) {
        check_silence(workers, unwinds);
        check_silence(workers, is_cancelled);
    });
}

TEST_CASE("what an operation that refuses was given is not reported") {
    on_workers(multi, [](unsigned workers) { check_silence(workers, is_refused); });
}

TEST_CASE("what a cancelled or failed operation was given is not reported") {
    on_workers(multi, [](unsigned workers) {
        check_silence(workers, fails_in_a_window);
        check_silence(workers, limits);
        check_silence(workers, loses_to_the_first);
        check_silence(workers, stops_a_group);
        check_silence(workers, leaves_a_strand);
        check_silence(workers, calls_nothing);
        check_silence(workers, leaves_tasks_behind);
    });
}

TEST_CASE("a runtime that takes no coroutine any more, or was not made, reports none") {
    const child_result result = in_child([] {
        int refused = 0;
        try {
            static_cast<void>(run(after_one_turn(forgotten(1)), {.workers = 1000}));
        } catch (const std::invalid_argument&) {
            ++refused;
        }
        runtime r{{.workers = 1}};
        r.close();
        try {
            r.spawn(after_one_turn(forgotten(2)));
        } catch (const runtime_closed&) {
            ++refused;
        }
        try {
            r.block_on(after_one_turn(forgotten(3)));
        } catch (const runtime_closed&) {
            ++refused;
        }
        try {
            create_task(forgotten(4));
        } catch (const usage_error&) {
            ++refused;
        }
        return refused;
    });
    CHECK(result.exit_code == 4);
    CHECK(result.output.empty());
}

TEST_CASE("a callback that no runtime is left to call takes along what it captured") {
    const child_result result = in_child([] {
        std::optional<promise<int>> kept = run(calls_once_set(), {.workers = 1});
        kept->set_result(1);
        kept.reset();
        return 0;
    });
    CHECK(result.exit_code == 0);
    CHECK(result.output.empty());
}
