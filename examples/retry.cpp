// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A server that answers the third call: each is limited by itself, what fails is called again after
// a delay, and all of it has to be over within a minute.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

weft::coro<std::string> call_server(int attempt) {
    if (attempt == 1) throw std::runtime_error("connection refused");
    if (attempt == 2) co_await weft::sleep(1h);
    co_return "hello";
}

weft::coro<std::string> call_limited(int& attempts) {
    ++attempts;
    co_return co_await weft::wait_for(call_server(attempts), 20ms);
}

weft::coro<> ask() {
    int attempts = 0;
    const auto call = [&attempts] { return call_limited(attempts); };
    const auto tell = [](const std::exception& failure) {
        std::printf("again, because of: %s\n", failure.what());
        return true;
    };
    const weft::retry_policy policy{.attempts = 5, .first_delay = 10ms, .max_delay = 1s};
    auto answer = co_await weft::wait_for(weft::retry(policy, call, tell), 1min);
    std::printf("%s, at the %drd call\n", answer.c_str(), attempts);
}

int main() { weft::run(ask()); }
