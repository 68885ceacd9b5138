// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A cancel scope stops a part of a task, also where that part catches what it is thrown: in a
// cancelled scope every wait is cancelled.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

weft::coro<> try_server(int number) {
    try {
        co_await weft::sleep(1h);
    } catch (const weft::cancelled& why) {
        // Careless: this should rethrow. A request to the task would be over now.
        std::printf("server %d: %s\n", number, std::string{why.reason()}.c_str());
    }
}

weft::coro<> search() {
    for (int number = 1; number <= 3; ++number) co_await try_server(number);
    co_await weft::sleep(1h);
}

weft::coro<> cancel_later(weft::cancel_scope scope) {
    co_await weft::sleep(10ms);
    scope.cancel("the user has left");
}

weft::coro<> async_main() {
    const weft::cancel_scope scope;
    auto user = weft::create_task(cancel_later(scope));
    const bool ended = co_await scope.run(search());
    std::puts(ended ? "found" : "stopped");

    const weft::cancel_scope limited(10ms);
    co_await limited.run(search());
    co_await weft::sleep(1ms);  // outside of the scopes nothing is left of it
    std::puts(limited.cancelled_caught() ? "stopped by the deadline" : "found");
    co_await user;
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
