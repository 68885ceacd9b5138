// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The items of as_completed are tickets: the first one awaited gets the first that ended; a limit
// cancels nobody.
#include "print.hpp"

namespace {

weft::coro<std::string> after(int units, std::string value) {
    co_await weft::sleep(units * 30ms);
    co_return value;
}

weft::coro<> async_main() {
    std::vector<weft::coro<std::string>> both;
    both.push_back(after(2, "slow"));
    both.push_back(after(1, "quick"));
    auto completed = weft::as_completed(std::move(both));
    auto ticket = completed.begin();
    auto& first_ticket = *ticket;
    auto& second_ticket = *++ticket;
    const std::string first = co_await second_ticket;
    const std::string second = co_await first_ticket;
    print(first, second);

    auto slow = weft::create_task(after(4, "slow"));
    const std::vector tasks{weft::create_task(after(1, "quick")), slow};
    for (auto& each : weft::as_completed(tasks, 60ms)) {
        try {
            print(co_await each);
        } catch (const weft::timeout_error&) {
            print("timeout", slow.done(), slow.cancelling());
        }
    }
    print(co_await slow);
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
