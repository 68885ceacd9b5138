// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Four ways to limit a call: wait_for throws, move_on_after gives nothing, and a scope has a name,
// so that its body can move the limit as long as there is progress.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

weft::coro<std::string> fetch(std::chrono::milliseconds takes) {
    co_await weft::sleep(takes);
    co_return "answer";
}

weft::coro<> read_parts(weft::timeout_scope& idle, int parts) {
    for (int part = 1; part <= parts; ++part) {
        co_await weft::sleep(20ms);
        std::printf("part %d\n", part);
        idle.reschedule(10s);  // from now: only silence is limited
    }
    co_await weft::sleep(1h);
}

weft::coro<> read_with_idle_limit(weft::timeout_scope& idle) {
    co_await weft::with_timeout(idle, read_parts(idle, 3));
}

weft::coro<> use_limits() {
    try {
        auto text = co_await weft::wait_for(fetch(1h), 20ms);
        std::printf("%s\n", text.c_str());
    } catch (const weft::timeout_error& e) {
        std::printf("%s\n", e.what());
    }

    auto maybe = co_await weft::move_on_after(20ms, fetch(1h));
    std::printf("%s\n", maybe ? maybe->c_str() : "moved on");

    // A wait_for is a coro like any other: each call has its own limit.
    auto [one, two] =
        co_await weft::gather(weft::wait_for(fetch(1ms), 1h), weft::wait_for(fetch(2ms), 1h));
    std::printf("%s, %s\n", one.c_str(), two.c_str());

    weft::timeout_scope all{200ms};
    weft::timeout_scope idle{10s};
    try {
        co_await weft::with_timeout(all, read_with_idle_limit(idle));
    } catch (const weft::timeout_error&) {
        std::printf("expired: all %s, idle %s\n", all.expired() ? "yes" : "no",
                    idle.expired() ? "yes" : "no");
    }
}

int main() { weft::run(use_limits()); }
