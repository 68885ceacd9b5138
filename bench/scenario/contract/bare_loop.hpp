// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The least that a loop of coroutines can be, for the contender `bare`: one thread, a queue of
// handles. No cancellation, exceptions, timers, descriptors, or other threads.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <utility>

namespace bench {

inline std::deque<std::coroutine_handle<>> ready;

/// Starts with the loop's next turn; awaited once, or never.
class bare_task {
public:
    struct promise_type {
        std::uint64_t value = 0;
        std::coroutine_handle<> awaiter = nullptr;

        bare_task get_return_object() {
            const auto self = std::coroutine_handle<promise_type>::from_promise(*this);
            ready.push_back(self);
            return bare_task(self);
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct hand_over {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(
                    std::coroutine_handle<promise_type> self) noexcept {
                    const auto next = self.promise().awaiter;
                    return next ? next : std::noop_coroutine();
                }
                void await_resume() noexcept {}
            };
            return hand_over{};
        }
        void return_value(std::uint64_t result) { value = result; }
        void unhandled_exception() { std::terminate(); }
    };

    bare_task(bare_task&& other) noexcept : self_(std::exchange(other.self_, nullptr)) {}
    bare_task& operator=(bare_task&&) = delete;
    ~bare_task() {
        if (self_) self_.destroy();
    }

    bool await_ready() const { return self_.done(); }
    void await_suspend(std::coroutine_handle<> awaiter) { self_.promise().awaiter = awaiter; }
    std::uint64_t await_resume() const { return self_.promise().value; }

private:
    explicit bare_task(std::coroutine_handle<promise_type> self) : self_(self) {}
    std::coroutine_handle<promise_type> self_;
};

/// Back to the end of the queue.
struct bare_yield {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> self) const { ready.push_back(self); }
    void await_resume() const {}
};

/// Turns the loop until nothing is ready; gives what `main` returned.
inline std::uint64_t run_bare(bare_task main) {
    while (!ready.empty()) {
        const auto next = ready.front();
        ready.pop_front();
        next.resume();
    }
    return main.await_resume();
}

}  // namespace bench
