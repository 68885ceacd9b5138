// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Deep chains and long loops of awaits on workers with a stack of 256 KiB. depth_test.py compiles
// this, and the runtime, with each compiler at each level: whether an await costs stack depends on
// both. Prints one line for each part and exits with 0 if all are right.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "weft/weft.hpp"

namespace {

using namespace weft;

int long_loop = 1'000'000;
int deep = 100'000;

coro<int> one() { co_return 1; }

coro<int> nothing_twice() {
    int first = co_await one();
    int second = co_await one();
    co_return first + second;
}

coro<bool> loop_of_awaits() {
    long sum = 0;
    for (int i = 0; i < long_loop; ++i) {
        int value = co_await nothing_twice();
        sum += value;
    }
    co_return sum == 2L * long_loop;
}

coro<bool> loop_of_done_tasks() {
    task<int> t = create_task(one());
    co_await t;
    long sum = 0;
    for (int i = 0; i < long_loop; ++i) sum += co_await t;
    co_return sum == long_loop;
}

coro<bool> loop_of_forks() {
    long sum = 0;
    for (int i = 0; i < long_loop / 4; ++i) {
        auto [a, b] = co_await when_all(one(), one());
        sum += a + b;
    }
    co_return sum == long_loop / 4 * 2L;
}

coro<bool> loop_of_limits() {
    long sum = 0;
    for (int i = 0; i < long_loop / 4; ++i) {
        int value = co_await with_timeout(std::chrono::hours{1}, one());
        sum += value;
    }
    co_return sum == long_loop / 4;
}

// Chains: the innermost sleeps for ever or returns.

coro<int> coroutine_chain(int depth, bool endless) {
    if (depth == 0) {
        if (endless) co_await sleep(std::chrono::hours{1});
        co_await yield();
        co_return 0;
    }
    int below = co_await coroutine_chain(depth - 1, endless);
    co_return below + 1;
}

coro<int> task_chain(int depth, bool endless) {
    if (depth == 0) {
        if (endless) co_await sleep(std::chrono::hours{1});
        co_return 0;
    }
    task<int> next = create_task(task_chain(depth - 1, endless));
    int below = co_await next;
    co_return below + 1;
}

coro<int> fork_chain(int depth, bool endless) {
    if (depth == 0) {
        if (endless) co_await sleep(std::chrono::hours{1});
        co_await yield();
        co_return 0;
    }
    auto [below, beside] = co_await when_all(fork_chain(depth - 1, endless), one());
    co_return below + beside;
}

coro<int> gather_chain(int depth, bool endless) {
    if (depth == 0) {
        if (endless) co_await sleep(std::chrono::hours{1});
        co_return 0;
    }
    auto [below, beside] = co_await gather(gather_chain(depth - 1, endless), one());
    co_return below + beside;
}

coro<int> limit_chain(int depth, bool endless) {
    if (depth == 0) {
        if (endless) co_await sleep(std::chrono::hours{1});
        co_return 0;
    }
    int below = co_await with_timeout(std::chrono::hours{1}, limit_chain(depth - 1, endless));
    co_return below + 1;
}

using chain = coro<int> (*)(int, bool);

coro<bool> returns_from(chain make) {
    task<int> t = create_task(make(deep, false));
    int depth = co_await t;
    co_return depth == deep;
}

coro<bool> is_cancelled_in(chain make) {
    task<int> t = create_task(make(deep, true));
    // Until it is as deep as it gets: timers_armed is not for tasks, so let it run for a while.
    for (int i = 0; i < 3; ++i) co_await sleep(std::chrono::milliseconds{30});
    bool accepted = t.cancel("from the top");
    while (!t.done()) co_await yield();
    co_return accepted&& t.cancelled();
}

coro<> leaves_behind(chain make) {
    create_task(make(deep, true));
    co_await sleep(std::chrono::milliseconds{30});
}

bool report(const char* what, unsigned workers, bool right) {
    std::printf("%-32s %u worker(s): %s\n", what, workers, right ? "ok" : "WRONG");
    std::fflush(stdout);
    return right;
}

bool all_with(unsigned workers) {
    runtime_options options{.workers = workers, .stack_size = 256 * 1024};
    bool right = true;
    right &= report("loop of awaits", workers, run(loop_of_awaits(), options));
    right &= report("loop of done tasks", workers, run(loop_of_done_tasks(), options));
    right &= report("loop of when_all", workers, run(loop_of_forks(), options));
    right &= report("loop of with_timeout", workers, run(loop_of_limits(), options));
    constexpr struct {
        const char* name;
        chain make;
    } chains[] = {{"coroutines", &coroutine_chain},
                  {"tasks", &task_chain},
                  {"when_all", &fork_chain},
                  {"gather", &gather_chain},
                  {"with_timeout", &limit_chain}};
    for (const auto& c : chains) {
        std::printf("chain of %s\n", c.name);
        right &= report("  returns", workers, run(returns_from(c.make), options));
        right &= report("  is cancelled", workers, run(is_cancelled_in(c.make), options));
        run(leaves_behind(c.make), options);
        right &= report("  ends with the runtime", workers, true);
    }
    return right;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        int divisor = std::max(1, std::atoi(argv[1]));
        long_loop /= divisor;
        deep /= divisor;
    }
    bool right = all_with(1);
    right &= all_with(2);
    bool clean = detail::live_blocks() == 0;
    std::printf("live blocks at the end: %lld\n", static_cast<long long>(detail::live_blocks()));
    return right && clean ? 0 : 1;
}
