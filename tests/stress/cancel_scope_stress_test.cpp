// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Cancel scopes in one another, cancelled by tasks, by a thread that is no worker and by their
// deadlines, while their bodies end: nothing of it is left after a scope.

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "support/seed.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;

/// Waits as often as it likes, and counts the waits that were not cancelled although the scope was.
weft::coro<> waits(weft::cancel_scope scope, std::uint32_t choice, std::uint64_t& missed) {
    for (std::uint32_t i = 0; i < choice % 4; ++i) {
        const bool was_called = scope.cancel_called();
        bool is_cancelled = false;
        try {
            if (i % 2 == 0)
                co_await weft::yield();
            else
                co_await weft::sleep(1us);
        } catch (const weft::cancelled&) {
            is_cancelled = true;
        }
        if (was_called && !is_cancelled) ++missed;
    }
    co_await weft::yield();
}

weft::coro<> nested(std::array<weft::cancel_scope, 2> scopes, std::uint32_t choice,
                    std::uint64_t& missed) {
    co_await scopes[1].run(waits(scopes[1], choice, missed));
    co_await weft::yield();
}

weft::coro<> cancel(weft::cancel_scope scope, std::uint32_t yields) {
    for (std::uint32_t i = 0; i < yields; ++i) co_await weft::yield();
    scope.cancel("race");
}

/// What a thread outside of the runtime cancels next.
class foreign_canceller {
public:
    foreign_canceller() : thread_([this] { run(); }) {}
    ~foreign_canceller() {
        stops_ = true;
        thread_.join();
    }
    foreign_canceller(const foreign_canceller&) = delete;
    foreign_canceller& operator=(const foreign_canceller&) = delete;
    void give(const weft::cancel_scope& scope) {
        std::lock_guard guard{mutex_};
        next_.push_back(scope);
    }

private:
    void run() {
        while (!stops_) {
            std::vector<weft::cancel_scope> taken;
            {
                std::lock_guard guard{mutex_};
                taken.swap(next_);
            }
            for (const weft::cancel_scope& scope : taken) scope.cancel("from a thread");
            std::this_thread::yield();
        }
    }

    std::mutex mutex_;
    std::vector<weft::cancel_scope> next_;
    std::atomic<bool> stops_{false};
    std::thread thread_;
};

weft::coro<std::uint64_t> rounds(std::uint64_t count, std::uint32_t seed,
                                 foreign_canceller& foreign) {
    std::minstd_rand random{seed};
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto choice = static_cast<std::uint32_t>(random());
        const std::array<weft::cancel_scope, 2> scopes{
            choice % 3 == 0 ? weft::cancel_scope(std::chrono::microseconds(choice % 97))
                            : weft::cancel_scope(),
            weft::cancel_scope()};
        auto first = weft::create_task(cancel(scopes[0], choice / 7 % 4));
        auto second = weft::create_task(cancel(scopes[1], choice / 31 % 4));
        if (choice % 5 == 0) foreign.give(scopes[choice % 2]);
        const bool ended = co_await scopes[0].run(nested(scopes, choice / 128, wrong));
        if (ended == scopes[0].cancelled_caught()) ++wrong;
        if (weft::current_task().cancelling() != 0) ++wrong;
        co_await first;
        co_await second;
        co_await weft::yield();  // throws if anything is left
    }
    co_return wrong;
}

weft::coro<std::uint64_t> several(std::uint64_t count, foreign_canceller& foreign) {
    const auto seed = static_cast<std::uint32_t>(weft::test::seed());
    auto a = weft::create_task(rounds(count, seed, foreign));
    auto b = weft::create_task(rounds(count, seed + 1, foreign));
    auto c = weft::create_task(rounds(count, seed + 2, foreign));
    const std::uint64_t first = co_await a;
    const std::uint64_t second = co_await b;
    co_return first + second + co_await c;
}

}  // namespace

TEST_CASE("nothing of a cancelled scope is left after it") {
    foreign_canceller foreign;
    for (unsigned workers : {1u, 2u, 4u}) {
        const std::uint64_t wrong =
            weft::run(several(weft::test::stress_iterations(3000), foreign), {.workers = workers});
        CHECK(wrong == 0);
    }
}
