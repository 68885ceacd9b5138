// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Cancelling the owner of a task group stops its children and ends cancelled, unless one fails in
// its clean-up.
#include <algorithm>
#include <stdexcept>

#include "print.hpp"

namespace {

using names = std::vector<std::string>;

weft::coro<> sleeps(std::string name, names& stopped) {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        stopped.push_back(name);
        throw;
    }
}

weft::coro<> fails_when_cancelled() {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        throw std::domain_error("in the clean-up");
    }
}

weft::coro<> body(weft::task_group& group, weft::coro<> first, weft::coro<> second) {
    group.create_task(std::move(first));
    group.create_task(std::move(second));
    co_return;
}

weft::coro<> owner(weft::coro<> first, weft::coro<> second) {
    co_await weft::task_group::run(&body, std::move(first), std::move(second));
}

weft::coro<> run(weft::coro<> first, weft::coro<> second) {
    auto task = weft::create_task(owner(std::move(first), std::move(second)));
    co_await weft::sleep(10ms);
    task.cancel();
    try {
        co_await task;
    } catch (const weft::cancelled&) {
        print("cancelled", task.cancelled());
    } catch (const weft::exception_group& caught) {
        std::string text;
        try {
            std::rethrow_exception(caught.exceptions().front());
        } catch (const std::domain_error& error) {
            text = error.what();
        }
        print("['" + text + "']", task.cancelled());
    }
}

weft::coro<> async_main() {
    names stopped;
    co_await run(sleeps("a", stopped), sleeps("b", stopped));
    co_await run(sleeps("c", stopped), fails_when_cancelled());
    std::ranges::sort(stopped);
    std::string text;
    for (const std::string& name : stopped) text += (text.empty() ? "'" : ", '") + name + "'";
    print("[" + text + "]");
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
