// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Which request a task works for, without handing it through every call: a task-local value.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

const weft::task_local<std::string> request{"none"};

void log(const char* what) { std::printf("[%s] %s\n", request.get().c_str(), what); }

weft::coro<int> load_rows(std::chrono::milliseconds takes, int rows) {
    co_await weft::sleep(takes);
    log("rows are here");
    co_return rows;
}

weft::coro<> handle(std::string name, std::chrono::milliseconds takes) {
    const auto scope = request.with(name);
    log("begins");
    // A task of its own begins with the values of the task that creates it.
    const int rows = co_await weft::create_task(load_rows(takes, 2));
    log(rows == 2 ? "ends" : "fails");
}

weft::coro<> async_main() {
    auto [first, second] = co_await weft::gather(handle("login", 60ms), handle("search", 20ms));
    static_cast<void>(first);
    static_cast<void>(second);
    log("both are done");
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
