// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Plain functions called soon, later, and not at all; and from a thread that is no worker.

#include <cstdio>
#include <string>
#include <thread>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

void say(const std::string& text) { std::puts(text.c_str()); }

struct heartbeat {
    void beat() {
        std::printf("beat %d\n", ++beats);
        if (beats < 3) next = weft::call_later(30ms, &heartbeat::beat, this);
    }
    weft::timer_handle next{};
    int beats = 0;
};

weft::coro<> async_main(weft::runtime& runtime) {
    weft::call_soon(say, "soon");
    weft::timer_handle reminder = weft::call_later(1h, say, "you waited for an hour");
    say("first");
    co_await weft::sleep(10ms);
    std::puts(reminder.cancel() ? "no reminder" : "too late");

    heartbeat heart;
    heart.beat();
    std::string text = "slept on";
    text = co_await weft::sleep(200ms, std::move(text));
    say(text);

    auto [sender, receiver] = weft::make_oneshot<std::string>();
    std::thread outside([&runtime, send = std::move(sender)]() mutable {
        runtime.call_soon([send = std::move(send)]() mutable { send.send("from outside"); });
    });
    std::string message = co_await receiver;
    say(message);
    outside.join();
}

int main() {
    weft::runtime runtime({.workers = 1});
    runtime.block_on(async_main(runtime));
}
