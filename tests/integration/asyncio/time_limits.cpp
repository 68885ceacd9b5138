// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A limit cancels, waits for the real end, and gives way to the body's own outcome; of two equal
// ones the outer counts.
#include <stdexcept>

#include "print.hpp"

namespace {

weft::coro<> clean_up() {
    co_await weft::sleep(30ms);
    print("cleaned up");
}

weft::coro<std::string> sleeps() {
    co_await weft::sleep(30s);
    co_return "";
}

weft::coro<std::string> cleans_up_slowly() {
    co_return co_await weft::with_cleanup(sleeps(), &clean_up);
}

weft::coro<std::string> declines() {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
    }
    co_return "late value";
}

weft::coro<std::string> fails_when_cancelled() {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        throw std::invalid_argument("in the clean-up");
    }
    co_return "";
}

weft::coro<std::string> in_time() {
    co_await weft::yield();
    co_return "in time";
}

weft::coro<std::string> within(std::chrono::milliseconds limit, weft::coro<std::string> body) {
    try {
        co_return co_await weft::with_timeout(limit, std::move(body));
    } catch (const weft::timeout_error&) {
        co_return "timeout";
    } catch (const std::invalid_argument& error) {
        co_return error.what();
    }
}

using time_point = std::chrono::steady_clock::time_point;

weft::coro<> inner_of_two(time_point when) {
    try {
        co_await weft::with_timeout_at(when, sleeps());
    } catch (const weft::timeout_error&) {
        print("inner timeout");
    } catch (const weft::cancelled&) {
        print("inner cancelled");
        throw;
    }
}

weft::coro<> async_main() {
    print(co_await within(20ms, cleans_up_slowly()));
    print(co_await within(20ms, declines()));
    print(co_await within(20ms, fails_when_cancelled()));
    print(co_await within(30s, in_time()));
    const time_point when = std::chrono::steady_clock::now() + 20ms;
    try {
        co_await weft::with_timeout_at(when, inner_of_two(when));
    } catch (const weft::timeout_error&) {
        print("outer timeout");
    }
    print("cancelling", weft::current_task().cancelling());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
