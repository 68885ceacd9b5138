// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Work that is only worth doing while somebody wants its result: the task is cancelled when its
// last handle goes. Without that policy a dropped task goes on.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

weft::coro<std::string> render(const char* what, std::chrono::milliseconds takes) {
    try {
        co_await weft::sleep(takes);
        std::printf("%s: rendered\n", what);
    } catch (const weft::cancelled& why) {
        std::printf("%s: %s\n", what, std::string(why.reason()).c_str());
        throw;
    }
    co_return std::string(what) + " on the screen";
}

weft::coro<> async_main() {
    const weft::task_options on_demand{.on_drop = weft::drop_policy::cancel};
    auto preview = weft::create_task(render("preview", 1h), on_demand);
    auto page = weft::create_task(render("page", 40ms), on_demand);
    auto log = weft::create_task(render("log", 20ms));
    co_await weft::yield();
    preview = {};  // the user has turned to something else
    log = {};      // goes on: nobody said that it should not
    const std::string shown = co_await page;
    std::puts(shown.c_str());
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
