// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two bugs that the checker exists for, in miniature: a Chase-Lev deque whose pop has no fence
// takes an item twice, an event count whose sides have no fence loses a wake-up. Both need weak
// memory: with sequentially consistent memory every interleaving passes, fence or not.
#include <array>
#include <cstdint>

#include "engine/check.hpp"
#include "support/catch.hpp"

namespace model = weft::model;
using env = model::model_environment;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

model::options weak() { return {.preemptions = 3, .random_executions = 0}; }
model::options sequential() {
    return {.memory = model::memory_model::sequential, .preemptions = 3, .random_executions = 0};
}

/// Fixed capacity, numbers from 1; 0 is "nothing".
class small_deque {
public:
    explicit small_deque(bool is_fenced) : is_fenced_(is_fenced) {}

    void push(int number) {
        int bottom = bottom_.load(relaxed);
        slots_[static_cast<std::size_t>(bottom) % slots_.size()].store(number, relaxed);
        bottom_.store(bottom + 1, release);
    }
    int pop() {
        int last = bottom_.load(relaxed) - 1;
        bottom_.store(last, release);  // a thief may read this one: it must still publish the rest
        if (is_fenced_) env::seq_cst_fence();
        int top = top_.load(relaxed);
        int number = top <= last ? at(last) : 0;
        if (top < last) return number;
        if (top == last && !top_.compare_exchange_strong(top, top + 1, acq_rel)) number = 0;
        bottom_.store(last + 1, release);
        return number;
    }
    int steal() {
        int top = top_.load(acquire);
        if (is_fenced_) env::seq_cst_fence();
        if (top >= bottom_.load(acquire)) return 0;
        int number = at(top);
        return top_.compare_exchange_strong(top, top + 1, acq_rel) ? number : 0;
    }

private:
    int at(int index) {
        return slots_[static_cast<std::size_t>(index) % slots_.size()].load(relaxed);
    }

    bool is_fenced_;
    env::atomic<int> top_{0}, bottom_{0};
    std::array<env::atomic<int>, 2> slots_;
};

model::scenario_body deque_body(bool is_fenced) {
    return [=](model::scenario& s) {
        small_deque deque(is_fenced);
        s.name(deque, "deque");
        std::array<int, 3> taken{};
        auto take = [&](int number) { ++taken[static_cast<std::size_t>(number)]; };
        s.thread("owner", [&] {
            deque.push(1);
            deque.push(2);
            take(deque.pop());
            take(deque.pop());
        });
        s.thread("thief", [&] {
            take(deque.steal());
            take(deque.steal());
        });
        s.finally([&] {
            model::require(taken[1] <= 1 && taken[2] <= 1, "a number is taken twice");
            model::require(taken[1] + taken[2] == 2, "a number is lost");
        });
    };
}

model::scenario_body parking_body(bool is_fenced, bool is_rechecked) {
    return [=](model::scenario& s) {
        env::atomic<std::uint32_t> work{0}, sleeping{0}, token{0};
        s.name(work, "work");
        s.name(sleeping, "sleeping");
        s.name(token, "token");
        s.thread("producer", [&, is_fenced] {
            work.store(1, release);
            if (is_fenced) env::seq_cst_fence();
            if (sleeping.load(acquire) == 0) return;
            token.fetch_add(1, release);
            env::futex_wake(token, 1);
        });
        s.thread("worker", [&, is_fenced, is_rechecked] {
            while (work.load(acquire) == 0) {
                auto seen = token.load(acquire);
                sleeping.store(1, release);
                if (is_fenced) env::seq_cst_fence();
                bool is_ready = is_rechecked && work.load(acquire) != 0;
                auto forever = std::chrono::steady_clock::time_point::max();
                if (!is_ready) env::futex_wait(token, seen, forever);
                sleeping.store(0, relaxed);
            }
        });
        s.finally([] {});
    };
}

void passes(const model::result& outcome) {
    INFO(outcome.report());
    CHECK_FALSE(outcome.failed);
    CHECK(outcome.complete);
}

void fails_with(const model::result& outcome, const std::string& part) {
    INFO(outcome.report());
    CHECK(outcome.failed);
    CHECK(outcome.message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a Chase-Lev deque without fences takes an item twice", "[model]") {
    fails_with(model::check(weak(), deque_body(false)), "taken twice");
    passes(model::check(weak(), deque_body(true)));
}

TEST_CASE("an event count without fences or without its second look sleeps for ever", "[model]") {
    fails_with(model::check(weak(), parking_body(false, true)), "worker waits on token");
    fails_with(model::check(weak(), parking_body(true, false)), "worker waits on token");
    passes(model::check(weak(), parking_body(true, true)));
}

TEST_CASE("sequential memory passes both without their fences", "[model]") {
    passes(model::check(sequential(), deque_body(false)));
    passes(model::check(sequential(), parking_body(false, true)));
    fails_with(model::check(sequential(), parking_body(true, false)), "worker waits on token");
}
