// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that begin inside of create_task: a page that is in the cache is there without a turn
// through the worker's queue, and only what has to wait is queued.

#include <cstdio>
#include <map>
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

std::map<std::string, std::string> cache{{"/", "home"}, {"/about", "about us"}};

weft::coro<std::string> load(std::string path) {
    const auto found = cache.find(path);
    if (found != cache.end()) co_return found->second;
    co_await weft::sleep(20ms);  // a slow disk
    co_return "loaded " + path;
}

weft::coro<> async_main() {
    std::vector<weft::task<std::string>> pages;
    for (const char* path : {"/", "/news", "/about"}) {
        pages.push_back(weft::create_task(load(path), {.start = weft::start_policy::eager}));
        std::printf("%s: %s\n", path, pages.back().done() ? "there" : "on its way");
    }
    for (weft::task<std::string>& page : pages) {
        const std::string text = co_await page;
        std::puts(text.c_str());
    }
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
