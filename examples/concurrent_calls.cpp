// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two slow calls, first one after the other, then as tasks at the same time: 6 seconds against 3.

#include <cmath>
#include <cstdio>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

weft::coro<int> call_api(const char* message, int result = 1000, std::chrono::seconds delay = 3s) {
    std::puts(message);
    co_await weft::sleep(delay);
    co_return result;
}

void print_elapsed(clock_type::time_point start) {
    std::chrono::duration<double> elapsed = clock_type::now() - start;
    std::printf("It took %.1f second(s) to complete.\n", std::round(elapsed.count()));
}

weft::coro<> one_after_the_other() {
    auto start = clock_type::now();
    int price = co_await call_api("Get stock price of GOOG...", 300);
    std::printf("%d\n", price);
    price = co_await call_api("Get stock price of APPL...", 400);
    std::printf("%d\n", price);
    print_elapsed(start);
}

weft::coro<> at_the_same_time() {
    auto start = clock_type::now();
    auto task_1 = weft::create_task(call_api("Get stock price of GOOG...", 300));
    auto task_2 = weft::create_task(call_api("Get stock price of APPL...", 300));
    int price = co_await task_1;
    std::printf("%d\n", price);
    price = co_await task_2;
    std::printf("%d\n", price);
    print_elapsed(start);
}

int main() {
    // One worker starts tasks in the order of their creation, as asyncio does.
    weft::run(one_after_the_other(), {.workers = 1});
    weft::run(at_the_same_time(), {.workers = 1});
}
