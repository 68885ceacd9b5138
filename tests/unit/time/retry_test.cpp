// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/retry.hpp"

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "weft/time/with_timeout.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr retry_policy quick{.attempts = 4, .first_delay = std::chrono::microseconds{10}};

coro<> waits_in_the_call(gate& g) {
    co_await retry(quick, [&g] { return pass(g); });
}

coro<> fails_at_first_and_waits(gate& g, int& calls) {
    if (calls++ == 0) throw std::runtime_error("at first");
    co_await g;
}

/// Without a delay, so that several wait in the order in which they were started.
coro<> waits_in_the_second_call(gate& g) {
    int calls = 0;
    const retry_policy at_once{.first_delay = nanoseconds{0}};
    co_await retry(at_once, [&g, &calls] { return fails_at_first_and_waits(g, calls); });
}

coro<int> fails_at_first(int& calls, int failures) {
    co_await yield();
    if (++calls <= failures) throw std::runtime_error("failure " + std::to_string(calls));
    co_return calls;
}

coro<> counts_its_calls() {
    int calls = 0;
    const auto thrice = [&calls] { return fails_at_first(calls, 3); };
    int value = co_await retry(quick, thrice);
    CHECK(value == 4);
    CHECK(calls == 4);

    calls = 0;
    const auto always = [&calls] { return fails_at_first(calls, 100); };
    std::string last;
    try {
        co_await retry(quick, always);
    } catch (const std::runtime_error& e) {
        last = e.what();
    }
    CHECK(last == "failure 4");
    CHECK(calls == 4);

    calls = 0;
    retry_policy for_ever = quick;
    for_ever.attempts = retry_policy::unlimited;
    for_ever.max_delay = for_ever.first_delay;
    value = co_await retry(for_ever, always);
    CHECK(value == 101);
}

coro<> throws_an_int(int& calls) {
    ++calls;
    co_await yield();
    throw 5;
}

coro<> what_is_retried() {
    int calls = 0;
    const auto always = [&calls] { return fails_at_first(calls, 100); };
    const auto until_the_second = [](const std::exception& e) {
        return std::string_view{e.what()} != "failure 2";
    };
    std::string last;
    try {
        co_await retry(quick, always, until_the_second);
    } catch (const std::runtime_error& e) {
        last = e.what();
    }
    CHECK(last == "failure 2");
    CHECK(calls == 2);

    calls = 0;
    bool is_int = false;
    const auto throws = [&calls] { return throws_an_int(calls); };
    try {
        co_await retry(quick, throws);
    } catch (int) {
        is_int = true;
    }
    CHECK(is_int);
    CHECK(calls == 1);
}

coro<> fails(gate& called) {
    called.open();
    throw std::runtime_error("each time");
    co_return;
}

coro<> retries_for_ever(gate& called) {
    const retry_policy slow{.first_delay = far, .max_delay = far, .jitter = retry_jitter::none};
    co_await retry(slow, [&called] { return fails(called); });
}

coro<> cancelled_between_two_calls() {
    gate called;
    task<> t = create_task(retries_for_ever(called));
    co_await called;
    t.cancel("enough");
    co_await ended(t);
    CHECK(t.cancelled());
}

coro<> limited_as_a_whole() {
    gate called;
    bool expired = false;
    try {
        co_await with_timeout(unit(), retries_for_ever(called));
    } catch (const timeout_error&) {
        expired = true;
    }
    CHECK(expired);
    CHECK(called.is_open());
    CHECK(current_task().cancelling() == 0);
}

coro<> delays_are_waited_for() {
    int calls = 0;
    retry_policy policy{.attempts = 3, .first_delay = unit(), .jitter = retry_jitter::none};
    stopwatch watch;
    const auto twice = [&calls] { return fails_at_first(calls, 2); };
    co_await retry(policy, twice);
    CHECK(watch.elapsed() >= 3 * unit());
}

/// A source of random numbers that gives one number again and again.
class fixed_random {
public:
    explicit fixed_random(std::uint64_t bits) {
        bits_ = bits;
        detail::real_environment::set_random([]() noexcept { return bits_; });
    }
    fixed_random(const fixed_random&) = delete;
    fixed_random& operator=(const fixed_random&) = delete;
    ~fixed_random() { detail::real_environment::set_random(nullptr); }

private:
    static inline std::uint64_t bits_ = 0;
};

constexpr std::uint64_t half = std::uint64_t{1} << 63;
constexpr std::uint64_t all = ~std::uint64_t{0};

std::vector<long> milliseconds_of(const retry_policy& policy, std::uint64_t bits, int count) {
    fixed_random random{bits};
    detail::retry_delays delays{policy};
    std::vector<long> found;
    for (int i = 0; i < count; ++i) {
        found.push_back(std::chrono::round<milliseconds>(delays.next()).count());
    }
    return found;
}

}  // namespace

TEST_CASE("retry passes the checklist of waiting") {
    waiting_function wait = GENERATE(&waits_in_the_call, &waits_in_the_second_call);
    check_waiting(wait);
}

TEST_CASE("retry calls until there is a value, or no attempt is left") {
    on_workers(multi, [](unsigned workers) { run(counts_its_calls(), {.workers = workers}); });
}

TEST_CASE("retry repeats what the predicate says, and nothing that is no std::exception") {
    on_workers(multi, [](unsigned workers) { run(what_is_retried(), {.workers = workers}); });
}

TEST_CASE("a retry is cancelled, and limited, while it waits for its next call") {
    on_workers(multi, [](unsigned workers) {
        run(cancelled_between_two_calls(), {.workers = workers});
        run(limited_as_a_whole(), {.workers = workers});
    });
}

TEST_CASE("retry waits at least as long as it says") {
    on_workers(multi, [](unsigned workers) { run(delays_are_waited_for(), {.workers = workers}); });
}

TEST_CASE("the delays grow up to the longest, and are spread as the policy says") {
    retry_policy policy{.first_delay = milliseconds{100},
                        .factor = 3,
                        .max_delay = milliseconds{1000},
                        .jitter = retry_jitter::none};
    using values = std::vector<long>;
    CHECK(milliseconds_of(policy, half, 5) == values{100, 300, 900, 1000, 1000});
    policy.jitter = retry_jitter::full;
    CHECK(milliseconds_of(policy, 0, 3) == values{0, 0, 0});
    CHECK(milliseconds_of(policy, half, 5) == values{50, 150, 450, 500, 500});
    CHECK(milliseconds_of(policy, all, 5) == values{100, 300, 900, 1000, 1000});
    policy.jitter = retry_jitter::equal;
    CHECK(milliseconds_of(policy, 0, 4) == values{50, 150, 450, 500});
    CHECK(milliseconds_of(policy, half, 4) == values{75, 225, 675, 750});
    policy.jitter = retry_jitter::decorrelated;
    CHECK(milliseconds_of(policy, 0, 3) == values{100, 100, 100});
    CHECK(milliseconds_of(policy, half, 4) == values{200, 350, 575, 912});
    CHECK(milliseconds_of(policy, all, 4) == values{300, 900, 1000, 1000});
}

TEST_CASE("random delays are within their bounds, and not all the same") {
    const retry_policy policy{.first_delay = milliseconds{100}, .factor = 1};
    detail::retry_delays delays{policy};
    std::vector<nanoseconds> found;
    for (int i = 0; i < 1000; ++i) found.push_back(delays.next());
    const auto [least, most] = std::ranges::minmax(found);
    CHECK(least >= nanoseconds{0});
    CHECK(most <= milliseconds{100});
    CHECK(most - least > milliseconds{50});
}

TEST_CASE("delays beyond the clock's range are the longest ones") {
    const retry_policy policy{.first_delay = nanoseconds::max(),
                              .factor = std::numeric_limits<double>::infinity(),
                              .max_delay = nanoseconds::max(),
                              .jitter = retry_jitter::none};
    detail::retry_delays delays{policy};
    CHECK(delays.next() == nanoseconds::max());
    CHECK(delays.next() == nanoseconds::max());
    const retry_policy none{.first_delay = nanoseconds{0}, .jitter = retry_jitter::none};
    detail::retry_delays zero{none};
    CHECK(zero.next() == nanoseconds{0});
    CHECK(zero.next() == nanoseconds{0});
}

TEST_CASE("a policy that makes no sense is refused at the call") {
    const auto call = [] { return coro_sleep(nanoseconds{0}); };
    const auto refuses = [&call](const retry_policy& policy) {
        try {
            retry(policy, call).close();
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    CHECK_FALSE(refuses({}));
    CHECK(refuses({.attempts = 0}));
    CHECK(refuses({.first_delay = nanoseconds{-1}}));
    CHECK(refuses({.max_delay = nanoseconds{-1}}));
    CHECK(refuses({.factor = 0.5}));
    CHECK(refuses({.factor = std::numeric_limits<double>::quiet_NaN()}));
    CHECK(refuses({.jitter = static_cast<retry_jitter>(9)}));
}
