// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Awaits whose result is there already do not suspend. A task of nothing but such awaits gives way
// all the same.
#include "sched/fairness.hpp"

#include <utility>
#include <vector>

#include "busy_stage.hpp"

using namespace weft;
using namespace weft::test;
namespace fairness = detail::fairness;

namespace {

coro<> nothing() { co_return; }

// Tasks that never suspend: what they await in each round is there already.

coro<> awaits_a_done_task(stage& s, nanoseconds run) {
    const task<> done = create_task(nothing());
    co_await done;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        co_await done;
    }
}

coro<> awaits_sent_values(stage& s, nanoseconds run) {
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        auto [sender, receiver] = make_oneshot<int>();
        sender.send(1);
        const int value = co_await receiver;
        if (value != 1) FAIL("another value than was sent");
    }
}

coro<> takes_an_idle_strand(stage& s, nanoseconds run) {
    const strand idle;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        co_await idle.run(nothing());
    }
}

coro<> gathers_a_done_task(stage& s, nanoseconds run) {
    const task<> done = create_task(nothing());
    co_await done;
    while (s.goes_on()) {
        ++s.children;
        s.runtime.spend(run);
        std::vector<task<>> all{done};
        co_await gather(std::move(all));
    }
}

coro<> sleeps_once(nanoseconds time) { co_await sleep(time); }

coro<> sleeps(stage& s, int rounds, nanoseconds& latest) {
    for (int i = 0; i < rounds; ++i) {
        const detail::time_point due = s.runtime.now() + 1us + i * 1371ns;
        co_await sleep_until(due);
        CHECK(s.runtime.now() >= due);
        latest = std::max(latest, nanoseconds{s.runtime.now() - due});
    }
}

/// Waits for one event of a descriptor.
class readable final : public detail::operation, public detail::io_waiter {
public:
    explicit readable(detail::reactor_slot& slot) noexcept : io_waiter{&on_event}, slot_(slot) {}
    readable(const readable&) = delete;
    readable& operator=(const readable&) = delete;
    bool await_ready() const noexcept { return false; }
    template <detail::weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        self_ = &caller.promise().current();
        self_->resume_point = caller;
        self_->operation = this;
        const auto found = slot_.word(detail::io_direction::read).prepare(this);
        return found == detail::io_prepare::waiting && detail::commit_suspend(*self_);
    }
    void await_resume() const noexcept {}
    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::io_read;
    }

private:
    static void on_event(io_waiter* waiter) noexcept {
        detail::wake(*static_cast<readable&>(*waiter).self_);
    }
    detail::reactor_slot& slot_;
    detail::runnable* self_ = nullptr;
};

}  // namespace

TEST_CASE("awaits that never suspend give way after 128") {
    const auto workers = GENERATE(1u, 2u);
    const auto awaits =
        GENERATE(awaits_a_done_task, awaits_sent_values, takes_an_idle_strand, gathers_a_done_task);
    stage s{workers};
    task<> busy = s.runtime.start(awaits(s, 100ns));
    wait worst;
    nanoseconds latest{};
    task<> beside = s.runtime.start(waits_for_its_turn(s, 300, worst));
    task<> sleeper = s.runtime.start(sleeps(s, 300, latest));
    s.runtime.run_until([&] { return beside.done() && sleeper.done(); });
    CHECK(worst.children == fairness::ready_awaits_per_run);
    CHECK(worst.turns <= 3);
    CHECK(latest <= fairness::poll_interval + 3 * fairness::ready_awaits_per_run * 100ns);
    s.finish();
}

TEST_CASE("awaits that never suspend go on while nothing else is ready") {
    const auto workers = GENERATE(1u, 2u);
    stage s{workers};
    task<> busy = s.runtime.start(awaits_a_done_task(s, 100ns));
    task<> sleeper = s.runtime.start(sleeps_once(1ms));
    s.runtime.run_until([&] { return sleeper.done(); }, 10);
    CHECK(s.children >= 10'000);
    s.finish();
}
