// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A cancel scope under the model checker, around a task that waits (engine/modelled_task.hpp), with
// its cancellers and the timer of its deadline. Once it is cancelled every wait in it is, and after
// its end nothing of it is left: neither a request nor a level, nor memory that the timer touches.
#include <memory>
#include <utility>

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "sched/guarded_wheel.hpp"
#include "support/catch.hpp"
#include "time/scope_core.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::time_point;
using wheel = weft::detail::guarded_wheel<env>;

constexpr std::chrono::milliseconds ahead{5};

class modelled_scope final : public modelled_timer,
                             public weft::detail::scope_core<env, modelled_scope>,
                             public std::enable_shared_from_this<modelled_scope> {
public:
    modelled_scope(modelled_task& task, wheel& timers, time_point deadline)
        : scope_core(deadline), task_(task), timers_(timers) {}

    void begin() { enter(task_.word()); }
    bool cancel() {
        return scope_core::cancel([this] { why_.store(1); });
    }
    void fire() override {
        pass_deadline([] {});
    }

    // What the core asks for.
    [[nodiscard]] std::uint32_t request() {
        require(why_.load() == 1, "the reason is there for who asks");
        std::uint32_t epoch = 0;
        require(task_.cancel(&epoch), "a scope's task is not done");
        return epoch;
    }
    void note_deadline() { why_.store(1); }
    void arm_timer(time_point deadline) { timers_.arm(*this, deadline); }
    [[nodiscard]] bool disarm_timer() { return timers_.disarm(*this); }

private:
    modelled_task& task_;
    wheel& timers_;
    env::cell<int> why_{0};
};

/// A task, the wheel of its worker and what it waits for.
struct stage {
    wheel timers;
    modelled_task task;
    completion one, never, after;
    env::atomic<bool> is_over{false};

    explicit stage(scenario& s) : task(s, "task") { s.name(timers, "wheel"); }

    std::shared_ptr<modelled_scope> make_scope(bool has_deadline) {
        return std::make_shared<modelled_scope>(
            task, timers, has_deadline ? env::now() + ahead : time_point::max());
    }
    /// The body waits once for something that comes, and once it was cancelled again.
    void run(const std::shared_ptr<modelled_scope>& scope) {
        scope->begin();
        const bool is_cancelled = task.suspend(one);
        if (is_cancelled) require(task.suspend(never), "every wait of a cancelled scope is");
        require(scope->leave(is_cancelled) == is_cancelled, "it is caught by the scope");
    }
    /// What comes after the scope is not its own.
    void go_on() {
        require(task.cancelling() == 0, "no request leaks past its scope");
        require(!task.suspend(after), "nor does the level");
        task.finish();
        require(!task.has_ended_cancelled(), "nor does what it asked for");
        is_over.store(true, std::memory_order_release);
    }
    void drive() {
        while (!is_over.load(std::memory_order_acquire)) {
            timers.fire_due(env::now() + 2 * ahead, [](weft::detail::timer_entry& due) {
                static_cast<modelled_timer&>(due).fire();
            });
            env::relax();
        }
    }
};

const registered_case cancellers({
    .structure = "scope",
    .name = "two cancel a scope while its body waits, and ends",
    .kills = {mutation::scope_asks_after_the_end, mutation::scope_keeps_its_request},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            stage at(s);
            auto scope = at.make_scope(false);
            int accepted = 0;  // fibers share one thread, so plain numbers may count
            s.thread("owner", [&] {
                at.run(scope);
                at.go_on();
            });
            for (int i = 0; i < 2; ++i) s.thread("canceller", [&] { accepted += scope->cancel(); });
            s.thread("completer", [&] {
                modelled_task::complete(at.one);
                modelled_task::complete(at.after);
            });
            s.finally([&] {
                require(accepted == (scope->is_cancelled() ? 1 : 0), "it is cancelled once");
                at.task.expect_all_answered();
            });
        },
});

/// A scope with a deadline, whose last handle goes with its end.
const registered_case deadline({
    .structure = "scope",
    .name = "a deadline meets the end of a scope that nobody else has",
    .kills = {mutation::scope_timer_keeps_nothing, mutation::scope_keeps_its_request},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            stage at(s);
            s.thread("owner", [&] {
                auto scope = at.make_scope(true);
                at.run(scope);
                scope = nullptr;
                at.go_on();
            });
            s.thread("driver", [&] { at.drive(); });
            s.thread("completer", [&] {
                modelled_task::complete(at.one);
                modelled_task::complete(at.after);
            });
            s.finally([&] { at.task.expect_all_answered(); });
        },
});

const registered_case moved({
    .structure = "scope",
    .name = "a deadline is moved while it fires, and somebody cancels",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            stage at(s);
            auto scope = at.make_scope(true);
            s.thread("owner", [&] {
                scope->begin();
                if (!scope->set_deadline(time_point::max(), [] {})) {
                    require(at.task.suspend(at.never), "what cannot be moved has passed");
                }
                const bool is_cancelled = scope->is_cancelled();
                require(scope->leave(is_cancelled) == is_cancelled || !is_cancelled, "caught");
                scope->cancel();
                at.go_on();
            });
            s.thread("driver", [&] { at.drive(); });
            s.thread("canceller", [&] {
                scope->cancel();
                modelled_task::complete(at.after);
            });
            s.finally([&] { at.task.expect_all_answered(); });
        },
});

}  // namespace

TEST_CASE("a cancelled scope cancels every wait until its end, and none after it", "[scope]") {
    check_cases("scope");
}

}  // namespace weft::model
