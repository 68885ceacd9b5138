// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Why does nothing happen? What each task waits for, and tasks that wait for each other in a
// circle.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

weft::coro<> read_line() { co_await weft::sleep(1h); }
weft::coro<> read_request() { co_await read_line(); }
weft::coro<> serve() { co_await read_request(); }

weft::coro<> await_other(const weft::task<>& other) { co_await other; }

weft::coro<> look_around() {
    weft::task<> server = weft::create_task(serve(), {.name = "server"});
    weft::task<> left, right;
    left = weft::create_task(await_other(right), {.name = "left"});
    right = weft::create_task(await_other(left), {.name = "right"});
    while (weft::find_deadlocks().empty()) co_await weft::yield();

    for (const weft::task_description& task : weft::dump_tasks()) {
        if (task.phase != weft::task_phase::waiting) continue;
        std::printf("%s waits for ", task.name.c_str());
        if (task.at.tasks.empty()) std::printf("a %s", std::string{task.at.waits_for}.c_str());
        for (const weft::awaited_task& other : task.at.tasks) std::printf("%s", other.name.c_str());
        std::printf(", in %zu coroutines\n", task.at.coroutines.size());
    }
    for (const weft::await_chain& circle : weft::find_deadlocks()) {
        std::printf("a circle of %zu, which begins with %s\n", circle.tasks.size(),
                    circle.tasks[0].name.c_str());
        left.cancel("it would wait for ever");
    }
    std::printf("%s\n", weft::to_text(server.await_chain()).c_str());
}

// With one worker: both handles are there before either task begins.
int main() { weft::run(look_around(), {.workers = 1}); }
