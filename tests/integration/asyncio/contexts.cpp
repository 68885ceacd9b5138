// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A context keeps what tasks, calls and callbacks set in it, one after the other; nobody else sees
// that.
#include <optional>

#include "print.hpp"

namespace {

const weft::task_local<std::string> user{"nobody"};

weft::coro<> log_in(std::string name) {
    print("found", user.get());
    co_await weft::yield();
    user.set(std::move(name));
}

void greet(const char* who) {
    print(who, "sees", user.get());
    user.set(user.get() + "+" + who);
}

weft::coro<> reads(weft::future<> gate) {
    co_await gate;
    print("child", user.get());
}

weft::coro<> async_main() {
    user.set("main");
    const weft::context context = weft::copy_context();
    user.set("later");
    co_await weft::create_task(context.run(log_in("ada")));
    print("after the task", user.get(), *context.get(user));

    weft::task_local_token token = context.run([] { return user.set("bob"); });
    context.run(greet, "call");
    const weft::context other = context.copy();
    try {
        user.reset(std::move(token));
    } catch (const weft::usage_error&) {
        print("reset elsewhere is refused");
    }
    context.run([&token] { user.reset(std::move(token)); });
    print("after the reset", *context.get(user), *other.get(user));

    const weft::promise<> gate;
    weft::task<> task;
    context.run([&] { task = weft::create_task(reads(gate.get_future())); });
    weft::call_soon([context] { context.run(greet, "callback"); });
    task.add_done_callback(
        [context](const weft::any_task&) { context.run(greet, "done-callback"); });
    co_await weft::yield();
    gate.set_result();
    co_await task;
    co_await weft::yield();
    co_await weft::yield();
    print("in the end", user.get(), *context.get(user), *other.get(user));
    try {
        context.run([&] { context.run(greet, "nested"); });
    } catch (const weft::usage_error&) {
        print("entered once");
    }
    print("empty", weft::context().get(user).value_or("None"));
}

}  // namespace

int main() { weft::run(async_main(), {.workers = 1}); }
