// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The lifecycle word under the model checker: wake, cancel, cancel, suspend, resume and finish in
// every order; engine/modelled_task.hpp is the task around it. Checked: one resumption for each
// suspension, none without its reason, no accepted request without a delivery after it, no touch of
// a dead frame.
#include "weft/task/lifecycle.hpp"

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using life = task_life;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

const registered_case early_wake({
    .structure = "lifecycle",
    .name = "a completion before, while or after the suspension resumes it once",
    .kills = {mutation::lifecycle_ignore_early_wake},
    .limits = {.preemptions = 5, .stale_loads = 3},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            s.thread("owner", [&] {
                require(!task.suspend(one), "nobody cancels");
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case only_cancel({
    .structure = "lifecycle",
    .name = "a cancel before, while or after the suspension is what ends it",
    .kills = {mutation::lifecycle_ignore_early_cancel},
    .limits = {.preemptions = 5, .stale_loads = 3},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion never;
            s.thread("owner", [&] {
                require(task.suspend(never), "only the cancel can end it");
                task.finish();
            });
            s.thread("canceller", [&] { require(task.cancel(), "not refused before its end"); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case cancel_and_wake({
    .structure = "lifecycle",
    .name = "a cancel and a completion race for one suspension",
    .kills = {mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case two_rounds({
    .structure = "lifecycle",
    .name = "what is deferred in one suspension does not leak into the next",
    .kills = {mutation::lifecycle_forget_deferred_wake, mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion first, second;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(first));
                static_cast<void>(task.suspend(second));
                task.finish();
            });
            s.thread("completer", [&] {
                modelled_task::complete(first);
                modelled_task::complete(second);
            });
            s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case two_cancels({
    .structure = "lifecycle",
    .name = "wake, cancel, cancel, suspend, resume and finish in every order",
    .kills = {mutation::lifecycle_wake_through_busy},
    .limits = {.preemptions = 3, .stale_loads = 1, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            int accepted = 0;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            for (int i = 0; i < 2; ++i) {
                s.thread("canceller", [&] { accepted += task.cancel() ? 1 : 0; });
            }
            s.finally([&] {
                task.expect_all_answered();
                require(task.cancelling() == static_cast<std::uint32_t>(accepted),
                        "every accepted request is counted, whatever became of it");
                require(task.deliveries() <= accepted, "no delivery without a request");
            });
        },
});

const registered_case end_of_body({
    .structure = "lifecycle",
    .name = "a cancel and the end of the body are ordered by one word",
    .kills = {mutation::lifecycle_finish_over_request},
    .limits = {.preemptions = 6, .stale_loads = 4},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            s.thread("owner", [&] { task.finish(); });
            for (int i = 0; i < 2; ++i) {
                s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            }
            s.finally([&] {
                task.expect_all_answered();
                require(!task.cancel(), "a done task refuses");
            });
        },
});

const registered_case observing({
    .structure = "lifecycle",
    .name = "who sees a task done sees its outcome",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            life word;
            env::cell<int> result{0};
            s.thread("owner", [&] {
                result.store(42);
                require(word.finish(true), "nobody cancels");
            });
            s.thread("observer", [&] {
                if (word.is_done()) require(result.load() == 42, "the outcome is visible");
            });
            s.finally([] {});
        },
});

/// A timer's request is withdrawn at the end of its scope; a foreign one is not.
const registered_case withdrawing({
    .structure = "lifecycle",
    .name = "a scope withdraws its own request and nobody else's",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            std::uint32_t epoch = 0;
            env::atomic<bool> has_fired{false};
            bool is_foreign = false;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                while (!has_fired.load(acquire)) env::relax();
                task.withdraw(epoch);
                task.finish();
            });
            s.thread("timer", [&] {
                require(task.cancel(&epoch), "the scope outlives its timer");
                has_fired.store(true, release);
            });
            s.thread("canceller", [&] { is_foreign = task.cancel(); });
            s.finally([&] {
                require(task.cancelling() == (is_foreign ? 1U : 0U), "only the foreign one counts");
                task.expect_all_answered();
                require(is_foreign || !task.has_ended_cancelled(), "the own one is not left over");
            });
        },
});

/// One request, and any number of suspensions after it.
const registered_case levels({
    .structure = "lifecycle",
    .name = "in a cancelled scope every suspension is cancelled, and none after it",
    .kills = {mutation::level_is_not_raised},
    .limits = {.preemptions = 4, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion never, nor_this, then;
            std::uint32_t epoch = 0;
            env::atomic<bool> is_applied{false};
            s.thread("owner", [&] {
                require(task.suspend(never), "only the scope can end it");
                require(task.suspend(nor_this), "and this without another request");
                while (!is_applied.load(acquire)) env::relax();
                task.leave_scope(epoch);
                require(!task.suspend(then), "nothing is left over");
                task.finish();
            });
            s.thread("canceller", [&] {
                task.cancel_scope(epoch);
                is_applied.store(true, release);
            });
            s.thread("completer", [&] { modelled_task::complete(then); });
            s.finally([&] {
                require(!task.has_ended_cancelled(), "the scope's request is withdrawn");
                require(task.cancelling() == 0, "and not counted any more");
            });
        },
});

/// The child declines, or ends before it is asked: in a scope the parent is cancelled even so.
const registered_case level_over_a_child({
    .structure = "lifecycle",
    .name = "in a cancelled scope awaiting a child that declines is cancelled",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body =
        [](scenario& s) {
            modelled_task child(s, "child"), parent(s, "parent");
            completion one;
            std::uint32_t epoch = 0;
            env::atomic<bool> is_applied{false};
            s.thread("child", [&] {
                static_cast<void>(child.suspend(one));
                child.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.thread("parent", [&] {
                const bool was_applied = is_applied.load(acquire);
                const bool is_cancelled = parent.suspend(child.ended(), &child);
                require(is_cancelled || !was_applied, "whatever the child makes of it");
                while (!is_applied.load(acquire)) env::relax();
                completion nothing;
                require(parent.suspend(nothing), "and again");
                parent.leave_scope(epoch);
                parent.finish();
            });
            s.thread("canceller", [&] {
                parent.cancel_scope(epoch);
                is_applied.store(true, release);
            });
            s.finally([&] {
                require(!parent.has_ended_cancelled(), "the scope's request is withdrawn");
            });
        },
});

void forwarding_body(scenario& s, int cancellers, bool child_is_completed) {
    modelled_task parent(s, "parent"), child(s, "child");
    completion one;
    s.thread("parent", [&] {
        static_cast<void>(parent.suspend(child.ended(), &child));
        parent.finish();
    });
    s.thread("child", [&] {
        static_cast<void>(child.suspend(one));
        child.finish();
    });
    if (child_is_completed) s.thread("completer", [&] { modelled_task::complete(one); });
    for (int i = 0; i < cancellers; ++i) {
        s.thread("canceller", [&] { static_cast<void>(parent.cancel()); });
    }
    s.finally([&] {
        parent.expect_all_answered();
        child.expect_all_answered();
    });
}

const registered_case forwarding({
    .structure = "lifecycle",
    .name = "a cancel of a task that awaits a child goes to the child",
    .kills = {mutation::lifecycle_ignore_early_cancel},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body = [](scenario& s) { forwarding_body(s, 1, false); },
});

const registered_case forwarding_race({
    .structure = "lifecycle",
    .name = "two cancels of a parent meet the end of its child",
    .kills = {},
    .limits = {.preemptions = 2, .stale_loads = 1, .random_executions = 100'000},
    .body = [](scenario& s) { forwarding_body(s, 2, true); },
});

const registered_case look_and_wake({
    .structure = "lifecycle",
    .name = "a look at a task meets its completion",
    .kills = {mutation::lifecycle_wake_through_busy, mutation::look_forgets_deferred_wake},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion first, second;
            s.thread("owner", [&] {
                require(!task.suspend(first), "nobody cancels");
                require(!task.suspend(second), "nobody cancels");
                task.finish();
            });
            s.thread("completer", [&] {
                modelled_task::complete(first);
                modelled_task::complete(second);
            });
            s.thread("looker", [&] { static_cast<void>(task.look()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case look_and_cancel({
    .structure = "lifecycle",
    .name = "a cancel that comes during a look is not lost",
    .kills = {mutation::look_forgets_requests},
    .limits = {.preemptions = 5, .stale_loads = 2},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion never;
            s.thread("owner", [&] {
                require(task.suspend(never), "only the cancel can end it");
                task.finish();
            });
            s.thread("canceller", [&] { require(task.cancel(), "not refused before its end"); });
            s.thread("looker", [&] { static_cast<void>(task.look()); });
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case look_cancel_and_wake({
    .structure = "lifecycle",
    .name = "two looks, a cancel and a completion in every order",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            modelled_task task(s, "task");
            completion one;
            s.thread("owner", [&] {
                static_cast<void>(task.suspend(one));
                task.finish();
            });
            s.thread("completer", [&] { modelled_task::complete(one); });
            s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
            for (int i = 0; i < 2; ++i) {
                s.thread("looker", [&] { static_cast<void>(task.look()); });
            }
            s.finally([&] { task.expect_all_answered(); });
        },
});

const registered_case look_while_forwarding({
    .structure = "lifecycle",
    .name = "a look at a parent meets a cancel that goes to its child",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            modelled_task parent(s, "parent"), child(s, "child");
            completion never;
            s.thread("parent", [&] {
                static_cast<void>(parent.suspend(child.ended(), &child));
                parent.finish();
            });
            s.thread("child", [&] {
                require(child.suspend(never), "only the cancel can end it");
                child.finish();
            });
            s.thread("canceller", [&] { require(parent.cancel(), "the child cannot have ended"); });
            s.thread("looker", [&] {
                static_cast<void>(parent.look());
                static_cast<void>(child.look());
            });
            s.finally([&] {
                parent.expect_all_answered();
                child.expect_all_answered();
            });
        },
});

}  // namespace

TEST_CASE("a task is resumed once for each suspension and loses no cancel", "[lifecycle]") {
    check_cases("lifecycle");
}

}  // namespace weft::model
