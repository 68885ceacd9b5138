// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A runtime without threads, on a virtual clock: the test's thread drives its first worker, one
// turn of the real loop at a time, and time passes only where a task says that its run took some.
// So turns and times are exact, and a run of the test is like every other. Other workers, if there
// are any, never run: as if all were kept by something long.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "ports/this_worker.hpp"
#include "sched/runtime_core.hpp"
#include "support/catch.hpp"
#include "weft/trace/session.hpp"
#include "weft/weft.hpp"

namespace weft::test {

/// What the runtime takes for the time while one exists: one at a time, without threads of weft.
class virtual_clock {
public:
    virtual_clock() {
        // Its collector would read this clock on a thread of its own.
        REQUIRE_FALSE(trace::current_statistics().active);
        now_ = detail::time_point{std::chrono::hours{1}};
        detail::real_environment::set_clock([]() noexcept { return now_; });
    }
    virtual_clock(const virtual_clock&) = delete;
    virtual_clock& operator=(const virtual_clock&) = delete;
    ~virtual_clock() { detail::real_environment::set_clock(nullptr); }

    [[nodiscard]] detail::time_point now() const noexcept { return now_; }
    void advance(std::chrono::nanoseconds by) noexcept { now_ += by; }

private:
    static inline detail::time_point now_{};
};

class driven_runtime {
public:
    explicit driven_runtime(unsigned workers)
        : core_({.workers = workers, .idle_spin = std::chrono::nanoseconds::zero()}) {
        detail::set_this_worker(&worker());
    }
    driven_runtime(const driven_runtime&) = delete;
    driven_runtime& operator=(const driven_runtime&) = delete;
    /// Its tasks are done.
    ~driven_runtime() {
        CHECK(live_tasks() == 0);
        detail::set_this_worker(nullptr);
    }

    /// As a task of this runtime would start one.
    template <class T>
    task<T> start(coro<T> body, task_options options = {}) {
        task<T> handle = detail::start_task(body, options, &worker(), core_, &worker());
        worker().submit_back(*detail::task_access::state(handle));
        return handle;
    }
    /// As a foreign thread would.
    template <class T>
    task<T> inject(coro<T> body, task_options options = {}) {
        task<T> handle = detail::start_task(body, options, &worker(), core_, nullptr);
        core_.inject(*detail::task_access::state(handle));
        return handle;
    }

    /// One turn of the loop. Where nothing is ready, time passes until a timer is due.
    void turn() {
        while (!worker().has_work() && !core_.injected.maybe_nonempty()) {
            const detail::time_point due = worker().timers().next_deadline();
            if (due == detail::time_point::max()) FAIL("nothing is left that could wake a task");
            if (due > now()) spend(due - now());
            worker().drive(worker().trace, worker().counts);
        }
        static_cast<void>(worker().step());
    }
    /// Turns until `is_over()`; fails the test after `most`.
    template <class Predicate>
    void run_until(Predicate is_over, std::uint64_t most = 10'000'000) {
        const std::uint64_t begin = turns();
        while (!is_over()) {
            if (turns() - begin > most) FAIL("not over after " << most << " turns");
            turn();
        }
    }

    /// Tasks that are not done.
    [[nodiscard]] std::uint64_t live_tasks() { return core_.statistics().live_tasks; }
    /// A task: this run takes `time`.
    void spend(std::chrono::nanoseconds time) noexcept { clock_.advance(time); }
    [[nodiscard]] detail::time_point now() const noexcept { return clock_.now(); }
    /// Resumptions so far. Several may be one turn() where a task hands over to the next directly.
    [[nodiscard]] std::uint64_t turns() const noexcept {
        return worker().counts.resumptions.read();
    }
    [[nodiscard]] detail::worker& worker() const noexcept { return *core_.workers()[0]; }

private:
    virtual_clock clock_;
    detail::runtime_core core_;
};

}  // namespace weft::test
