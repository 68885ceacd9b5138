// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A message every second while two calls are in progress. Which comes first at the third second,
// the message or the results, is open: both are due at the same moment.

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

weft::coro<> show_message() {
    for (int i = 0; i < 3; ++i) {
        co_await weft::sleep(1s);
        std::puts("API call is in progress...");
    }
}

weft::coro<> async_main() {
    auto start = clock_type::now();
    auto message_task = weft::create_task(show_message());
    auto task_1 = weft::create_task(call_api("Get stock price of GOOG...", 300));
    auto task_2 = weft::create_task(call_api("Get stock price of APPL...", 300));
    int price = co_await task_1;
    std::printf("%d\n", price);
    price = co_await task_2;
    std::printf("%d\n", price);
    co_await message_task;
    std::chrono::duration<double> elapsed = clock_type::now() - start;
    std::printf("It took %.1f second(s) to complete.\n", std::round(elapsed.count()));
}

int main() { weft::run(async_main(), {.workers = 1}); }
