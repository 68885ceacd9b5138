// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A coroutine that is called and neither awaited nor made a task does nothing at all. The failure
// handler hears of each; close() is for one that is not wanted after all.
#include <weft/weft.hpp>

#include <cstdio>
#include <string>
#include <utility>

weft::coro<> save(std::string text) {
    std::printf("%s is saved\n", text.c_str());
    co_return;
}

weft::coro<> edit() {
    auto first = save("the first draft");
    auto second = save("the second draft");
    auto third = save("the third draft");
    co_await std::move(second);
    third.close();
    // first: forgotten
}

int main() {
    weft::runtime runtime;
    runtime.set_failure_handler([](const weft::failure& what) {
        if (what.what != weft::failure::kind::never_awaited) return;
        // In front of this the message names the coroutine, its file and its line.
        const std::string fate = what.message.substr(what.message.find("was never"));
        std::printf("one save %s\n", fate.c_str());
    });
    runtime.block_on(edit());
}
