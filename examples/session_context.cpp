// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Sessions of a server: each has a context, in which its requests run one after the other. What a
// request sets is there for the next one of the session, and for no other session.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

const weft::task_local<std::string> user{"nobody"};
const weft::task_local<int> requests{0};

weft::coro<> log_in(std::string name) {
    co_await weft::sleep(5ms);
    user.set(std::move(name));
    requests.set(requests.get() + 1);
}

weft::coro<> greet() {
    requests.set(requests.get() + 1);
    std::printf("hello, %s\n", user.get().c_str());
    co_return;
}

weft::coro<> async_main() {
    const weft::context one;
    const weft::context other;

    // Requests of different sessions run at the same time.
    auto first = weft::create_task(one.run(log_in("ada")));
    auto second = weft::create_task(other.run(log_in("bob")));
    try {
        // The context is taken: two requests of one session would share its values.
        co_await one.run(greet());
    } catch (const weft::usage_error&) {
        std::puts("the session is busy");
    }
    co_await first;
    co_await second;

    co_await weft::create_task(one.run(greet()));
    co_await other.run(greet());
    co_await one.run(greet());
    co_await greet();

    // A callback says itself that it runs in a context.
    weft::promise<> called;
    weft::call_soon([&called, other] {
        other.run([] { user.set(user.get() + ", who was called"); });
        called.set_result();
    });
    co_await called.get_future();
    co_await other.run(greet());
    std::printf("%d and %d requests\n", one.get(requests).value_or(0),
                other.get(requests).value_or(0));
}

}  // namespace

int main() { weft::run(async_main()); }
