// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/parallel_for.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

constexpr std::size_t grains[] = {0, 1, 7, 100, 5000, std::numeric_limits<std::size_t>::max()};

/// How often each item was seen, by any thread.
class tally {
public:
    explicit tally(std::size_t items) : counts_(items) {}
    void add(std::size_t item) { counts_.at(item).fetch_add(1); }
    /// Since the last call.
    [[nodiscard]] bool each_once() {
        bool once = true;
        for (auto& count : counts_) once = count.exchange(0) == 1 && once;
        return once;
    }

private:
    std::vector<std::atomic<int>> counts_;
};

coro<> every_form_over_indices(std::size_t count) {
    tally seen(count);
    for (std::size_t grain : grains) {
        const parallel_options options{.grain = grain};
        co_await parallel_for(0, count, [&](std::size_t i) { seen.add(i); }, options);
        CHECK(seen.each_once());
        co_await parallel_for_chunks(
            0, count,
            [&](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i != end; ++i) seen.add(i);
            },
            options);
        CHECK(seen.each_once());
        co_await parallel_for(
            0, count,
            [&](std::size_t i) -> coro<> {
                if (i % 3 == 0) co_await yield();
                seen.add(i);
            },
            options);
        CHECK(seen.each_once());
        co_await parallel_for_chunks(
            0, count,
            [&](std::size_t begin, std::size_t end) -> coro<> {
                for (std::size_t i = begin; i != end; ++i) seen.add(i);
                co_await yield();
            },
            options);
        CHECK(seen.each_once());
    }
}

bool all_equal(const std::vector<int>& values, int wanted) {
    return std::ranges::all_of(values, [=](int v) { return v == wanted; });
}

coro<> every_form_over_ranges() {
    std::vector<int> values(1003, 0);
    const parallel_options options{.grain = 10};
    co_await parallel_for(values, [](int& v) { ++v; });
    CHECK(all_equal(values, 1));
    co_await parallel_for_chunks(values, [](std::span<int> chunk) {
        for (int& v : chunk) ++v;
    });
    CHECK(all_equal(values, 2));
    auto later = [](int& v) -> coro<> {
        co_await yield();
        ++v;
    };
    co_await parallel_for(values, later, options);
    CHECK(all_equal(values, 3));
    auto chunk_later = [](auto chunk) -> coro<> {
        co_await yield();
        for (int& v : chunk) ++v;
    };
    co_await parallel_for_chunks(std::span{values}.subspan(1), chunk_later, options);
    CHECK(values.front() == 3);
    values.front() = 4;
    CHECK(all_equal(values, 4));
}

coro<> ranges_of_values() {
    std::atomic<int> sum{0};
    const parallel_options options{.grain = 3};
    // What the iterator gives lives until the body has ended.
    auto squares = std::views::iota(0, 50) |
                   std::views::transform([](int i) { return std::make_unique<int>(i * i); });
    auto add_later = [&sum](const std::unique_ptr<int>& square) -> coro<> {
        co_await yield();
        sum += *square;
    };
    co_await parallel_for(squares, add_later, options);
    CHECK(sum.exchange(0) == 40425);
    auto add = [&sum](const std::unique_ptr<int>& square) { sum += *square; };
    co_await parallel_for(squares, add, options);
    CHECK(sum.exchange(0) == 40425);
    std::vector<int> moved_in(100, 2);
    coro<> not_begun = parallel_for(std::move(moved_in), [&sum](int v) { sum += v; }, options);
    CHECK(moved_in.empty());
    co_await std::move(not_begun);
    CHECK(sum == 200);
}

/// Callable once moved, never copied.
class moved_body {
public:
    explicit moved_body(std::atomic<int>& sum) : sum_(&sum), one_(std::make_unique<int>(1)) {}
    void operator()(int) const { *sum_ += *one_; }

private:
    std::atomic<int>* sum_;
    std::unique_ptr<int> one_;
};

coro<> body_is_moved() {
    std::atomic<int> sum{0};
    moved_body body(sum);
    co_await parallel_for(0, 1000, std::move(body), {.grain = 1});
    CHECK(sum == 1000);
}

coro<> first_error_of(std::vector<int>& ran, int items, std::size_t grain, int failing) {
    std::string what;
    auto body = [&](int i) {
        ran.push_back(i);
        if (i >= failing) throw std::runtime_error(std::to_string(i));
    };
    try {
        co_await parallel_for(0, items, body, {.grain = grain});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == std::to_string(failing));
}

coro<> all_fail(bool suspend) {
    std::atomic<int> inside{0};
    std::atomic<int> ran{0};
    std::string what;
    auto body = [&, suspend](int) -> coro<> {
        ++inside;
        ++ran;
        scope_exit leave{[&] { --inside; }};
        if (suspend) co_await yield();
        throw std::runtime_error("one of them");
    };
    try {
        co_await parallel_for(0, 500, body, {.grain = 1});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "one of them");
    CHECK(ran > 0);
    CHECK(inside == 0);
}

coro<> siblings_that_sleep_are_stopped() {
    std::atomic<int> stopped{0};
    stopwatch clock;
    std::string what;
    auto body = [&](int i) -> coro<> {
        if (i == 9) throw std::runtime_error("nine");
        try {
            co_await sleep(far);
        } catch (const cancelled&) {
            ++stopped;
            throw;
        }
    };
    try {
        co_await parallel_for(0, 10, body, {.grain = 1});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "nine");
    CHECK(stopped <= 9);
    CHECK(clock.elapsed() < soon);
    CHECK(current_task().cancelling() == 0);
}

/// Item 3 fails first, and its half ends last: item 2 takes its time to stop, and item 0 fails
/// meanwhile.
coro<> an_error_that_ends_later() {
    gate never;
    gate go;
    gate begun[4];
    std::atomic<bool> failed_again{false};
    auto body = [&](int i) -> coro<> {
        begun[i].open();
        if (i == 3) {
            co_await begun[0];
            co_await begun[2];
            throw std::runtime_error("first");
        }
        if (i == 0) {
            co_await go;
            failed_again = true;
            throw std::runtime_error("second");
        }
        if (i == 1) co_return;
        try {
            co_await never;
        } catch (const cancelled&) {
            go.open();
        }
        while (!failed_again) co_await yield();
        for (int more = 0; more < 50; ++more) co_await yield();
    };
    std::string what;
    try {
        co_await parallel_for(0, 4, body, {.grain = 1});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "first");
}

/// Only a worker that has left the failed chunk can run it: the other one waits in its own.
coro<> says_that_the_chunk_was_left(gate& failing, std::atomic<bool>& left) {
    co_await failing;
    left = true;
}

coro<> failure_is_heard_in_the_other_half() {
    std::atomic<bool> taken{false};
    gate failing;
    std::atomic<bool> left{false};
    std::atomic<int> ran{0};
    task<> teller = create_task(says_that_the_chunk_was_left(failing, left));
    std::string what;
    auto body = [&](int i) {
        ++ran;
        if (i == 0) {
            while (!taken) std::this_thread::yield();
            failing.open();
            throw std::runtime_error("zero");
        }
        taken = true;
        while (!left) std::this_thread::yield();
    };
    try {
        co_await parallel_for(0, 64, body, {.grain = 1});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "zero");
    CHECK(ran == 2);
    co_await teller;
}

coro<> cancels_itself(std::atomic<int>& ran, std::size_t grain) {
    auto body = [&ran](int i) {
        ++ran;
        if (i == 100) current_task().cancel("enough");
    };
    co_await parallel_for(0, 1000, body, {.grain = grain});
}

coro<> cancelled_between_chunks(std::size_t grain, int expected) {
    std::atomic<int> ran{0};
    task<> t = create_task(cancels_itself(ran, grain));
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(ran == expected);
}

coro<> computes_until_cancelled(std::atomic<int>& begun) {
    auto body = [&begun](std::uint64_t) {
        ++begun;
        std::this_thread::yield();
    };
    co_await parallel_for(0, std::numeric_limits<std::uint64_t>::max(), body, {.grain = 1});
}

coro<> waits_in_items(gate& g) {
    auto body = [&g](int) { return pass(g); };
    co_await parallel_for(0, 5, body, {.grain = 1});
}

coro<> waits_in_one_chunk(gate& g) {
    auto body = [&g](int) { return pass(g); };
    co_await parallel_for(0, 3, body, {.grain = 10});
}

coro<> nested(std::atomic<int>& sum) {
    auto outer = [&sum](int n) -> coro<> {
        auto inner = [&sum](int) { ++sum; };
        co_await parallel_for(0, n, inner, {.grain = 2});
    };
    co_await parallel_for(0, 50, outer, {.grain = 1});
}

}  // namespace

TEST_CASE("parallel_for calls its body once for every index, in every form") {
    on_workers(multi, [](unsigned workers) {
        run(every_form_over_indices(1), {.workers = workers});
        run(every_form_over_indices(10'007), {.workers = workers});
    });
}

TEST_CASE("parallel_for calls its body once for every element, in every form") {
    on_workers(multi, [](unsigned workers) {
        run(every_form_over_ranges(), {.workers = workers});
        run(ranges_of_values(), {.workers = workers});
    });
}

TEST_CASE("parallel_for moves its body") {
    on_workers(multi, [](unsigned workers) { run(body_is_moved(), {.workers = workers}); });
}

TEST_CASE("parallel_for throws the first error and begins no chunk after it") {
    on_workers(single, [](unsigned workers) {
        for (std::size_t grain : {1u, 3u, 1000u}) {
            std::vector<int> ran;
            run(first_error_of(ran, 1000, grain, 123), {.workers = workers});
            CHECK(ran.size() == 124);
        }
    });
}

TEST_CASE("parallel_for throws the error that came first though its half ends last") {
    on_workers(multi,
               [](unsigned workers) { run(an_error_that_ends_later(), {.workers = workers}); });
}

TEST_CASE("parallel_for joins every chunk before it throws") {
    on_workers(multi, [](unsigned workers) {
        run(all_fail(false), {.workers = workers});
        run(all_fail(true), {.workers = workers});
        run(siblings_that_sleep_are_stopped(), {.workers = workers});
    });
}

TEST_CASE("a worker deep in its half of a parallel_for hears of a failure in the other") {
    on_workers({2}, [](unsigned workers) {
        for (int i = 0; i < 20; ++i)
            run(failure_is_heard_in_the_other_half(), {.workers = workers});
    });
}

TEST_CASE("parallel_for hears of a cancellation between two chunks") {
    on_workers(single, [](unsigned workers) {
        run(cancelled_between_chunks(1, 101), {.workers = workers});
        run(cancelled_between_chunks(10, 109), {.workers = workers});    // chunks of 15 or 16
        run(cancelled_between_chunks(600, 1000), {.workers = workers});  // one chunk: at its end
    });
}

TEST_CASE("parallel_for over 2^64 items can be cancelled from outside") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> begun{0};
        runtime here{{.workers = workers}};
        task<> t = here.spawn(computes_until_cancelled(begun));
        while (begun < 100) std::this_thread::yield();
        t.cancel();
        here.close();
        CHECK(t.cancelled());
    });
}

TEST_CASE("parallel_for passes the checklist of waiting") {
    waiting_function wait = GENERATE(&waits_in_items, &waits_in_one_chunk);
    check_waiting(wait);
}

TEST_CASE("parallel_for may be nested") {
    on_workers(multi, [](unsigned workers) {
        std::atomic<int> sum{0};
        run(nested(sum), {.workers = workers});
        CHECK(sum == 1225);
    });
}
