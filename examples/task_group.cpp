// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A task group: its tasks live no longer than its body and the wait after it. The first failure
// stops the others, and all errors come out as one exception_group.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<int> fetch(const char* what, int bytes) {
    co_await weft::sleep(20ms);
    std::printf("%s: %d bytes\n", what, bytes);
    co_return bytes;
}

weft::coro<> fail_soon(const char* text) {
    co_await weft::sleep(10ms);
    throw std::runtime_error(text);
}

weft::coro<> serve(weft::task_status<int>& status) {
    co_await weft::sleep(5ms);  // bind and listen
    status.started(8080);
    try {
        co_await weft::sleep(1h);
    } catch (const weft::cancelled& why) {
        std::printf("server stopped: %s\n", std::string(why.reason()).c_str());
        throw;
    }
}

weft::coro<int> fetch_both(weft::task_group& group) {
    auto page = group.create_task(fetch("page", 120));
    auto picture = group.create_task(fetch("picture", 4000));
    co_return co_await page + co_await picture;
}

weft::coro<> fetch_beside_a_failure(weft::task_group& group) {
    group.create_task(fetch("never seen", 1));
    group.create_task(fail_soon("no route to host"));
    co_await weft::sleep(1h);  // cancelled by the group
}

weft::coro<> use_a_server(weft::task_group& group) {
    int port = co_await group.start<int>(serve);  // returns when the server is ready
    std::printf("server ready on port %d\n", port);
    group.cancel("no more work");  // no error: the group just ends
}

weft::coro<> one_at_a_time(weft::task_group& group) {
    for (const char* name : {"first", "second", "third"}) group.create_task(fetch(name, 1));
    co_return;
}

weft::coro<> async_main() {
    int bytes = co_await weft::task_group::run(fetch_both);
    std::printf("%d bytes in all\n", bytes);
    try {
        co_await weft::task_group::run(fetch_beside_a_failure);
    } catch (const weft::exception_group& group) {
        std::puts(group.what());
        group.for_each<std::runtime_error>(
            [](const std::runtime_error& e) { std::printf("- %s\n", e.what()); });
    }
    co_await weft::task_group::run(use_a_server);
    co_await weft::task_group::run(weft::task_group_options{.limit = 1}, one_at_a_time);
}

int main() { weft::run(async_main(), {.workers = 1}); }
