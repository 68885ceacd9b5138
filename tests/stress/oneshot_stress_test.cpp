// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// send against receive against cancel: each value is received once or still there afterwards.

#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/weft.hpp"

namespace {

weft::coro<int> receive(weft::oneshot_receiver<int>* receiver) { co_return co_await *receiver; }

weft::coro<> send(weft::oneshot_sender<int> sender, int value) {
    sender.send(value);
    co_return;
}

weft::coro<> cancel(weft::any_task target) {
    target.cancel("race");
    co_return;
}

weft::coro<std::uint64_t> rounds(std::uint64_t count) {
    std::uint64_t lost = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        auto pair = weft::make_oneshot<int>();
        int value = static_cast<int>(i & 0xffff);
        auto receiving = weft::create_task(receive(&pair.receiver));
        if (i % 3 == 0) co_await weft::yield();
        auto sending = weft::create_task(send(std::move(pair.sender), value));
        auto cancelling = weft::create_task(cancel(receiving));
        co_await sending;
        co_await cancelling;
        int got = -1;
        try {
            got = co_await receiving;
        } catch (const weft::cancelled&) {
            got = -1;
        }
        if (got < 0) got = co_await pair.receiver;  // cancelled: the value is still there
        if (got != value) ++lost;
    }
    co_return lost;
}

}  // namespace

TEST_CASE("send, receive and cancel race without losing a value") {
    for (unsigned workers : {1u, 2u, 4u}) {
        REQUIRE(weft::run(rounds(weft::test::stress_iterations(5000)), {.workers = workers}) == 0);
    }
}
