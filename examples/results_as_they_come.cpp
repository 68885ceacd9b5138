// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// as_completed: four mirrors answer after different times. Each answer is used when it comes, in
// that order and not in that of the questions, and what is not there after a second is given up.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<std::string> ask(std::string mirror, std::chrono::milliseconds delay) {
    co_await weft::sleep(delay);
    co_return mirror + " answers after " + std::to_string(delay.count()) + " ms";
}

weft::coro<> async_main() {
    std::vector<weft::coro<std::string>> questions;
    questions.push_back(ask("north", 600ms));
    questions.push_back(ask("south", 200ms));
    questions.push_back(ask("east", 5s));
    questions.push_back(ask("west", 400ms));
    for (auto& ticket : weft::as_completed(std::move(questions), 1s)) {
        try {
            const std::string answer = co_await ticket;
            std::puts(answer.c_str());
        } catch (const weft::timeout_error&) {
            std::puts("one does not answer in time");
        }
    }
}

int main() { weft::run(async_main()); }
