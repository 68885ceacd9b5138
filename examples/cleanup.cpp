// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// try/finally with awaits: a transaction that is rolled back if its body does not come to its end,
// for whatever reason, and not to be interrupted while it is. C++ cannot await in a catch block.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

using namespace std::chrono_literals;

weft::coro<> send(const char* statement) {
    co_await weft::sleep(5ms);
    std::printf("%s\n", statement);
}

weft::coro<> transfer(weft::oneshot_sender<bool> begun) {
    co_await send("BEGIN");
    begun.send(true);
    co_await weft::sleep(1h);
    co_await send("UPDATE");
}

weft::coro<> end_transaction(std::exception_ptr error) {
    co_await send(error ? "ROLLBACK" : "COMMIT");
}

weft::coro<> transaction(weft::oneshot_sender<bool> begun) {
    co_await weft::with_cleanup(transfer(std::move(begun)), &end_transaction, {.shielded = true});
}

weft::coro<> cancel_in_the_middle() {
    auto [sender, receiver] = weft::make_oneshot<bool>();
    auto task = weft::create_task(transaction(std::move(sender)));
    co_await receiver;
    task.cancel("no longer wanted");
    co_await weft::yield();  // the task is in its clean-up by now
    task.cancel("really");   // which this does not stop
    try {
        co_await task;
    } catch (const weft::cancelled& c) {
        std::printf("cancelled: %.*s\n", static_cast<int>(c.reason().size()), c.reason().data());
    }
}

int main() { weft::run(cancel_in_the_middle(), {.workers = 1}); }
