// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two that decide one wait: who comes second must neither end it again nor be left behind.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/combine/completion_queue.hpp"
#include "weft/combine/limited_operation.hpp"
#include "weft/combine/wait.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using unlinking = detail::life::cancel_outcome;

class next_end final : public detail::completion_taker {
public:
    using completion_taker::completion_taker;
    void await_resume() { static_cast<void>(end()); }
};

/// A canceller that looked too late must be told so: the task is woken, or was, by another.
template <class Wait>
coro<> unlinks_too_late(Wait& wait, gate& g) {
    g.open();
    co_await wait;
    CHECK(wait.unlink() == unlinking::lost);
    CHECK_FALSE(wait.was_unlinked());
}

coro<> unlinks_decided_waits(return_when when) {
    gate first, second;
    std::vector<any_task> one{create_task(pass(first))};
    detail::wait_operation ended{std::move(one), {.timeout = far, .return_when = when}};
    co_await unlinks_too_late(ended, first);

    std::vector<any_task> other{create_task(pass(second))};
    next_end next{detail::completion_queue::make(std::move(other), detail::deadline_after(far))};
    co_await unlinks_too_late(next, second);
}

/// Its end comes from elsewhere, while its timer is at it.
class ends_in_its_expiry final : public detail::limited_operation {
public:
    ends_in_its_expiry() : limited_operation(detail::deadline_after(1ms)) {}

    [[nodiscard]] trace::suspend_reason wait_reason() const noexcept override {
        return trace::suspend_reason::timer;
    }
    bool await_ready() const noexcept { return false; }
    template <detail::weft_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        detail::runnable& self = caller.promise().current();
        self_ = &self;
        self.resume_point = caller;
        self.operation = this;
        arm(self);
        return detail::commit_suspend(self);
    }
    /// Whether its timer was through with it when it went on.
    bool await_resume() noexcept {
        has_resumed_ = true;
        disarm();
        has_gone_on_ = true;
        return is_through_;
    }

    /// Any thread: ends the wait once the timer is at it.
    void end_in_expiry() noexcept {
        while (!has_fired_) std::this_thread::yield();
        detail::wake(*self_);
    }

private:
    bool expire() noexcept override {
        has_fired_ = true;
        while (!has_resumed_) std::this_thread::yield();
        const stopwatch watch;
        while (!has_gone_on_ && watch.elapsed() < 20ms) std::this_thread::yield();
        is_through_ = !has_gone_on_;
        return false;
    }

    detail::runnable* self_ = nullptr;
    std::atomic<bool> has_fired_{false};
    std::atomic<bool> has_resumed_{false};
    std::atomic<bool> has_gone_on_{false};
    std::atomic<bool> is_through_{false};
};

coro<> keeps_a_worker_awake(const std::atomic<bool>& is_over) {
    while (!is_over) co_await yield();
}

/// With the others awake: the worker that drives the timer does not come to run anything.
coro<bool> waits_for(ends_in_its_expiry& op, unsigned workers) {
    std::atomic<bool> is_over{false};
    std::vector<task<>> others;
    for (unsigned i = 0; i < 2 * workers; ++i)
        others.push_back(create_task(keeps_a_worker_awake(is_over)));
    const bool is_through = co_await op;
    is_over = true;
    for (const task<>& each : others) co_await each;
    co_return is_through;
}

}  // namespace

TEST_CASE("a wait that was decided is not unlinked any more") {
    const return_when when = GENERATE(return_when::all_completed, return_when::first_completed,
                                      return_when::first_exception);
    on_workers(multi, [when](unsigned workers) {
        run(unlinks_decided_waits(when), {.workers = workers});
    });
}

TEST_CASE("a wait that ends while its timer fires goes on when that is through") {
    on_workers({2, 4}, [](unsigned workers) {
        ends_in_its_expiry op;
        std::thread other{[&op] { op.end_in_expiry(); }};
        const bool is_through = run(waits_for(op, workers), {.workers = workers});
        other.join();
        CHECK(is_through);
    });
}
