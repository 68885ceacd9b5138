// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// shield: a client gives up while its order is being written. The request to stop ends the client,
// but not the write, which would leave half an order behind.

#include <cstdio>
#include <string>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

weft::coro<> write_order() {
    std::puts("write: first half");
    co_await weft::sleep(1s);
    std::puts("write: second half");
}

weft::coro<> client(weft::task<> write) {
    try {
        co_await weft::shield(write);
        std::puts("client: order written");
    } catch (const weft::cancelled& c) {
        std::printf("client: stops, %s\n", std::string{c.reason()}.c_str());
        throw;
    }
}

weft::coro<> async_main() {
    weft::task<> write = weft::create_task(write_order());
    weft::task<> session = weft::create_task(client(write));
    co_await weft::sleep(200ms);
    session.cancel("the connection was closed");
    co_await write;
    std::printf("session cancelled: %s\n", session.cancelled() ? "yes" : "no");
    std::printf("write cancelled: %s\n", write.cancelled() ? "yes" : "no");
}

int main() { weft::run(async_main()); }
