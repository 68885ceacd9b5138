// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Timers under the model checker: the wheel behind its lock, a task that sleeps on it
// (engine/modelled_task.hpp), a scope with a deadline, drivers and cancellers. Each arming ends
// once, fired or disarmed; nothing touches a frame or a scope that has gone on. What is armed is
// always due: the wheel's arithmetic has tests of its own (tests/unit/wheel).
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/cases.hpp"
#include "engine/modelled_task.hpp"
#include "sched/guarded_wheel.hpp"
#include "support/catch.hpp"
#include "weft/time/expiry.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::time_point;
using weft::detail::timer_entry;
using expiry = weft::detail::expiry<env>;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

/// The real wheel, which has no shared words; a cell shows who enters it at the same time.
class watched_wheel : public weft::detail::timer_wheel {
public:
    using timer_wheel::timer_wheel;
    void insert(timer_entry& entry, time_point deadline) noexcept {
        inside_.store(1);
        timer_wheel::insert(entry, deadline);
    }
    bool remove(timer_entry& entry) noexcept {
        inside_.store(1);
        return timer_wheel::remove(entry);
    }
    std::size_t expire(time_point now, weft::detail::timer_list& due) noexcept {
        inside_.store(1);
        return timer_wheel::expire(now, due);
    }
    [[nodiscard]] bool is_empty() const noexcept {
        static_cast<void>(inside_.load());
        return timer_wheel::is_empty();
    }
    [[nodiscard]] time_point next_deadline_time() const noexcept {
        static_cast<void>(inside_.load());
        return timer_wheel::next_deadline_time();
    }

private:
    env::cell<int> inside_{0};
};

using wheel = weft::detail::guarded_wheel<env, watched_wheel>;

constexpr std::chrono::milliseconds ahead{5};

/// What a task sleeps on: an entry of the wheel in the frame of its operation.
class sleep_source final : public completion_source {
public:
    explicit sleep_source(wheel& timers) : timers_(timers) {}
    bool add(frame_operation* op) override {
        timers_.arm(*op, env::now() + ahead);
        return true;
    }
    bool remove(frame_operation* op) override { return timers_.disarm(*op); }
    bool holds(frame_operation* op) override { return op->is_armed(); }

private:
    wheel& timers_;
};

/// A wheel with its drivers, who go on until all owners are done.
class driven_wheel {
public:
    explicit driven_wheel(scenario& s, std::uint32_t owners) : left_(owners) {
        s.name(timers_, "wheel");
        s.name(left_, "owners");
    }

    [[nodiscard]] wheel& timers() { return timers_; }
    void leave() { left_.fetch_sub(1, release); }

    void drive() {
        while (left_.load(acquire) != 0) {
            timers_.fire_due(env::now() + 2 * ahead, [](timer_entry& due) {
                static_cast<modelled_timer&>(due).fire();  // its last touch
            });
            env::relax();
        }
    }

private:
    wheel timers_;
    env::atomic<std::uint32_t> left_;
};

/// A task that sleeps `rounds` times, with a canceller or without one.
scenario_body sleeping(int rounds, int drivers, bool is_cancelled) {
    return [=](scenario& s) {
        driven_wheel clock(s, 1);
        modelled_task task(s, "task");
        s.thread("owner", [&, rounds, is_cancelled] {
            sleep_source until(clock.timers());
            for (int round = 0; round < rounds; ++round) {
                require(!task.suspend(until) || is_cancelled, "nobody cancels");
            }
            task.finish();
            clock.leave();
        });
        for (int i = 0; i < drivers; ++i) s.thread("driver", [&] { clock.drive(); });
        if (is_cancelled) s.thread("canceller", [&] { static_cast<void>(task.cancel()); });
        s.finally([&] { task.expect_all_answered(); });
    };
}

const registered_case fires({
    .structure = "timer",
    .name = "a sleep ends once, whichever of two drivers finds it due",
    .kills = {mutation::timer_expires_unlocked, mutation::timer_fires_while_listed},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = sleeping(1, 2, false),
});

/// An entry that counts its firings, which its owner waits for.
class counted_timer final : public modelled_timer {
public:
    void fire() override { fired_.fetch_add(1, release); }
    [[nodiscard]] std::uint32_t fired() { return fired_.load(acquire); }

private:
    env::atomic<std::uint32_t> fired_{0};
};

const registered_case one_end({
    .structure = "timer",
    .name = "an entry that is armed again and again ends each time once",
    .kills = {mutation::timer_disarms_unlocked, mutation::timer_disarms_what_is_due},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            driven_wheel clock(s, 1);
            s.thread("owner", [&] {
                counted_timer entry;
                std::uint32_t expected = 0;
                for (int round = 0; round < 2; ++round) {
                    clock.timers().arm(entry, env::now() + ahead);
                    if (!clock.timers().disarm(entry)) ++expected;
                    while (entry.fired() < expected) env::relax();
                    require(entry.fired() == expected, "disarmed or fired");
                }
                clock.leave();
            });
            s.thread("driver", [&] { clock.drive(); });
            s.thread("watchdog", [&] {
                const time_point next = clock.timers().next_deadline();
                require(next == time_point::max() || next == env::now() + ahead, "or none");
            });
            s.finally([] {});
        },
});

const registered_case cancelled_sleep({
    .structure = "timer",
    .name = "a cancel and the deadline race for a sleep",
    .kills = {mutation::timer_disarms_unlocked, mutation::timer_disarms_what_is_due},
    .limits = {.preemptions = 4, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = sleeping(1, 1, true),
});

const registered_case sleeps_again({
    .structure = "timer",
    .name = "a sleep that was disarmed or has fired leaves nothing to the one after it",
    .kills = {mutation::timer_disarms_what_is_due},
    .limits = {.preemptions = 2,
               .stale_loads = 1,
               .random_executions = 40'000,
               .exhaustive_executions = 60'000},
    .body = sleeping(2, 1, true),
});

/// A scope with a deadline on the wheel.
class modelled_scope final : public modelled_timer {
public:
    explicit modelled_scope(modelled_task& task) : task_(task) {}

    void enter(wheel& timers) {
        timers_ = &timers;
        timers.arm(*this, env::now() + ahead);
    }
    void leave() {
        if (const auto epoch = settle()) task_.withdraw(*epoch);
    }
    /// False: the body has felt the expiry.
    bool reschedule(wheel& timers) {
        if (const auto epoch = settle()) {
            if (!task_.is_undelivered(*epoch)) return false;
            task_.withdraw(*epoch);
            expiry_.renew();
        }
        enter(timers);
        return true;
    }
    void fire() override {
        std::uint32_t epoch = 0;
        require(task_.cancel(&epoch), "a scope's task is not done");
        expiry_.apply(epoch);
    }

private:
    std::optional<std::uint32_t> settle() {
        const auto disarm = [this] { return timers_->disarm(*this); };
        return expiry_.settle(disarm, [] { env::relax(); });
    }

    modelled_task& task_;
    wheel* timers_ = nullptr;
    expiry expiry_;
};

/// A task that was cancelled once and went on waits within a scope: to sleep, or for a completion.
scenario_body scope_around(bool is_sleep) {
    return [=](scenario& s) {
        driven_wheel clock(s, 1);
        modelled_task task(s, "task");
        completion never, one;
        s.thread("owner", [&, is_sleep] {
            require(task.cancel() && task.suspend(never), "the first request, before the scope");
            sleep_source until(clock.timers());
            auto scope = std::make_unique<modelled_scope>(task);
            scope->enter(clock.timers());
            if (is_sleep) {
                static_cast<void>(task.suspend(until));
            } else {
                static_cast<void>(task.suspend(one));
            }
            scope->leave();
            scope.reset();
            task.finish();
            clock.leave();
        });
        s.thread("driver", [&] { clock.drive(); });
        if (!is_sleep) s.thread("completer", [&] { modelled_task::complete(one); });
        s.finally([&] {
            task.expect_all_answered();
            require(task.cancelling() == 1, "no request leaks past its scope");
            require(!task.has_ended_cancelled(), "nor does what it asked for");
        });
    };
}

const registered_case timeout({
    .structure = "timer",
    .name = "a deadline meets the end of its scope, whose request is withdrawn with it",
    .kills = {mutation::expiry_ends_before_it_is_applied, mutation::expiry_forgets_the_epoch,
              mutation::timer_disarms_what_is_due},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = scope_around(false),
});

/// The expiry disarms in the wheel that fires it.
const registered_case timeout_of_a_sleep({
    .structure = "timer",
    .name = "a deadline ends a sleep on the wheel that fires it",
    .kills = {mutation::timer_fires_under_lock},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = scope_around(true),
});

/// The body of a scope goes on with another worker and sets another deadline there, at once or
/// after it has waited.
scenario_body rescheduled(bool waits_first) {
    return [=](scenario& s) {
        driven_wheel first(s, 1), second(s, 1);
        modelled_task task(s, "task");
        completion never, one;
        s.thread("owner", [&, waits_first] {
            auto scope = std::make_unique<modelled_scope>(task);
            scope->enter(first.timers());
            const bool is_stopped = waits_first && task.suspend(one);
            const bool is_moved = scope->reschedule(second.timers());
            require(is_moved != is_stopped, "it can be moved until the body has felt it");
            if (is_moved) require(task.suspend(never), "the second deadline ends the wait");
            scope->leave();
            scope.reset();
            require(task.deliveries() == 1, "one expiry, one delivery");
            task.finish();
            first.leave();
            second.leave();
        });
        s.thread("first driver", [&] { first.drive(); });
        s.thread("second driver", [&] { second.drive(); });
        if (waits_first) s.thread("completer", [&] { modelled_task::complete(one); });
        s.finally([&] {
            task.expect_all_answered();
            require(task.cancelling() == 0, "no request leaks past its scope");
            require(!task.has_ended_cancelled(), "nor does what it asked for");
        });
    };
}

const registered_case rescheduled_at_once({
    .structure = "timer",
    .name = "a deadline that is moved while it fires does not count",
    .kills = {mutation::expiry_ends_before_it_is_applied, mutation::expiry_is_not_renewed},
    .limits = {.preemptions = 3, .stale_loads = 1, .exhaustive_executions = 60'000},
    .body = rescheduled(false),
});

const registered_case rescheduled_after_a_wait({
    .structure = "timer",
    .name = "a deadline is moved unless the body has felt it",
    .kills = {mutation::expiry_is_not_renewed},
    .limits = {.preemptions = 2,
               .stale_loads = 1,
               .random_executions = 40'000,
               .exhaustive_executions = 60'000},
    .body = rescheduled(true),
});

}  // namespace

TEST_CASE("a timer fires once or is disarmed, and outlives neither frame nor scope", "[timer]") {
    check_cases("timer");
}

}  // namespace weft::model
