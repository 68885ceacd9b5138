// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A cancelled gather cancels its children and ends cancelled whatever they make of it; a child
// cancelled alone stops nobody.
#include "print.hpp"

namespace {

weft::coro<int> declines(int value) {
    try {
        co_await weft::sleep(30s);
    } catch (const weft::cancelled&) {
        co_return value;
    }
    co_return -1;
}

weft::coro<int> sleeps(int value) {
    co_await weft::sleep(50ms);
    co_return value;
}

using tasks = std::vector<weft::task<int>>;

weft::coro<> gathers(tasks children) { co_await weft::gather(std::move(children)); }

std::vector<weft::task<>> parents_of(const weft::task<>& parent) { return {parent}; }

weft::coro<> async_main() {
    tasks children{weft::create_task(declines(0)), weft::create_task(declines(1))};
    auto parent = weft::create_task(gathers(children));
    co_await weft::sleep(10ms);
    parent.cancel();
    co_await weft::wait(parents_of(parent));
    print("parent", parent.cancelled(), "children",
          "[" + std::to_string(children[0].result()) + ", " + std::to_string(children[1].result()) +
              "]");

    children = {weft::create_task(sleeps(0)), weft::create_task(sleeps(1)),
                weft::create_task(sleeps(2))};
    parent = weft::create_task(gathers(children));
    co_await weft::sleep(10ms);
    children[1].cancel();
    co_await weft::wait(parents_of(parent));
    print("parent", parent.cancelled(), "others", children[0].done(), children[2].done());
    const int first = co_await children[0];
    const int third = co_await children[2];
    print(first, third, children[1].cancelled());

    children = {weft::create_task(sleeps(0)), weft::create_task(sleeps(1))};
    co_await weft::sleep(10ms);
    children[0].cancel();
    auto results = co_await weft::gather_settled(children);
    print("settled", weft::is_cancellation(results[0].error()), *results[1]);
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
