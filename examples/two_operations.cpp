// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Two operations of 3 and 2 seconds as tasks: 3 seconds in all, the longer one's time and not the
// sum. Results are read in the order of the awaits, whichever operation ends first.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

weft::coro<std::string> long_operation(const char* message, std::chrono::seconds delay) {
    std::puts(message);
    co_await weft::sleep(delay);
    co_return "Done after " + std::to_string(delay.count()) + " seconds";
}

weft::coro<> async_main() {
    auto start = clock_type::now();
    auto task1 = weft::create_task(long_operation("Task 1 started", 3s));
    auto task2 = weft::create_task(long_operation("Task 2 started", 2s));
    std::string result1 = co_await task1;
    std::string result2 = co_await task2;
    std::puts(result1.c_str());
    std::puts(result2.c_str());
    std::chrono::duration<double> elapsed = clock_type::now() - start;
    std::printf("Finished in %.2f seconds\n", elapsed.count());
}

int main() { weft::run(async_main(), {.workers = 1}); }
