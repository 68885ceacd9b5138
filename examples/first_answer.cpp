// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The same question to three mirrors: when_any gives the first answer, and when it does, the others
// have been cancelled and have ended.

#include <cstdio>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<std::string> ask(const char* mirror, std::chrono::milliseconds latency) {
    try {
        co_await weft::sleep(latency);
    } catch (const weft::cancelled& why) {
        std::printf("%s: cancelled, %s\n", mirror, std::string(why.reason()).c_str());
        throw;
    }
    co_return "42";
}

weft::coro<> wait_for_ever() { co_await weft::sleep(1h); }

weft::coro<> async_main() {
    std::vector<weft::coro<std::string>> mirrors;
    mirrors.push_back(ask("north", 1h));
    mirrors.push_back(ask("south", 20ms));
    auto [index, answer] = co_await weft::when_any(std::move(mirrors));
    std::printf("mirror %zu says %s\n", index, answer.c_str());

    auto first = co_await weft::when_any(wait_for_ever(), ask("west", 20ms));
    std::printf("child %zu says %s\n", first.index, std::get<1>(first.value).c_str());
}

int main() { weft::run(async_main()); }
