// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A request goes to what the task awaits; the child cleans up first, or declines for both.
#include "print.hpp"

namespace {

weft::coro<int> cleans_up() {
    std::exception_ptr why;
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        why = std::current_exception();
    }
    co_await weft::sleep(10ms);
    print("child cleaned up");
    if (why) std::rethrow_exception(why);
    co_return 0;
}

weft::coro<int> declines() {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        co_return 5;
    }
    co_return 0;
}

weft::coro<> parent(weft::task<int> child) {
    try {
        print("child gave", co_await child);
    } catch (const weft::cancelled&) {
        print("parent cancelled");
        throw;
    }
    co_await weft::sleep(10ms);
    print("parent went on");
}

weft::coro<> run(weft::coro<int> body) {
    auto child = weft::create_task(std::move(body));
    auto above = weft::create_task(parent(child));
    co_await weft::sleep(10ms);
    print("cancel", above.cancel());
    const std::vector waited{above};
    co_await weft::wait(waited);
    print("child", child.cancelled(), "parent", above.cancelled(), "cancelling",
          above.cancelling());
}

weft::coro<> async_main() {
    co_await run(cleans_up());
    co_await run(declines());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
