// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// gather throws the first failure at once and leaves the others alone; gather_settled waits for
// all.
#include <stdexcept>

#include "print.hpp"

namespace {

weft::coro<std::string> after(int units, std::string value) {
    co_await weft::sleep(units * 30ms);
    print("ended", value);
    co_return value;
}

weft::coro<std::string> fails_after(int units, std::string text) {
    co_await weft::sleep(units * 30ms);
    throw std::invalid_argument(text);
}

weft::coro<> async_main() {
    auto slow = weft::create_task(after(3, "slow"));
    try {
        co_await weft::gather(fails_after(1, "first"), slow, fails_after(2, "second"));
    } catch (const std::invalid_argument& error) {
        print("thrown", error.what());
    }
    print("slow done", slow.done());
    print(co_await slow);
    auto [a, b, c] =
        co_await weft::gather_settled(after(2, "a"), fails_after(1, "b"), after(0, "c"));
    std::string text;
    try {
        std::rethrow_exception(b.error());
    } catch (const std::invalid_argument& error) {
        text = error.what();
    }
    print("['" + *a + "', '" + text + "', '" + *c + "']");
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
