// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Virtual time. Everything that takes time is a coroutine that awaits a delay; the earliest one
// goes on next, ties in the order of their scheduling, so a run depends on its seed alone.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <queue>
#include <utility>
#include <vector>

namespace scaling {

class engine {
public:
    [[nodiscard]] double now() const { return now_; }

    /// Resumes `what` at `when`, unless `*guard` is no longer `value` by then.
    void schedule(double when, std::coroutine_handle<> what, const std::uint64_t* guard = nullptr,
                  std::uint64_t value = 0) {
        queue_.push({when, ++order_, what, guard, value});
    }

    /// True if nothing else happens until `when`: time has then moved on to it.
    bool try_advance(double when) {
        if (when > limit_ || (!queue_.empty() && queue_.top().when <= when)) return false;
        now_ = when;
        return true;
    }

    /// Until nothing is left to happen, `limit` has passed or `done` is set.
    void run(double limit, const bool& done) {
        limit_ = limit;
        while (!queue_.empty() && !done) {
            const event next = queue_.top();
            if (next.when > limit) break;
            queue_.pop();
            if (next.guard != nullptr && *next.guard != next.value) continue;
            now_ = next.when;
            ++events_;
            next.what.resume();
        }
        if (!done && now_ < limit && limit < 1e15) now_ = limit;
    }
    [[nodiscard]] std::uint64_t events() const { return events_; }

private:
    struct event {
        double when;
        std::uint64_t order;
        std::coroutine_handle<> what;
        const std::uint64_t* guard;
        std::uint64_t value;
        bool operator<(const event& other) const {
            return when != other.when ? when > other.when : order > other.order;
        }
    };
    std::priority_queue<event> queue_;
    double now_ = 0;
    double limit_ = 0;
    std::uint64_t order_ = 0;
    std::uint64_t events_ = 0;
};

/// Lets `ns` pass.
struct delay {
    engine& clock;
    double ns;
    [[nodiscard]] bool await_ready() const { return clock.try_advance(clock.now() + ns); }
    void await_suspend(std::coroutine_handle<> self) const {
        clock.schedule(clock.now() + ns, self);
    }
    void await_resume() const {}
};

/// A coroutine that begins when it is awaited and gives a T.
template <class T>
class [[nodiscard]] process {
public:
    struct final_transfer {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> ended) const noexcept {
            return ended.promise().caller;
        }
        void await_resume() const noexcept {}
    };
    struct promise_type {
        std::coroutine_handle<> caller = std::noop_coroutine();
        T value{};
        process get_return_object() {
            return process(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        final_transfer final_suspend() noexcept { return {}; }
        void return_value(T given) { value = given; }
        void unhandled_exception() { std::terminate(); }
    };

    process(process&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() {
        if (frame_) frame_.destroy();
    }
    [[nodiscard]] bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
        frame_.promise().caller = caller;
        return frame_;
    }
    T await_resume() { return frame_.promise().value; }
    void start_at(engine& clock, double when) { clock.schedule(when, frame_); }

private:
    explicit process(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

/// What a process gives that has nothing to give: `co_return {}`.
struct nothing {};

}  // namespace scaling
