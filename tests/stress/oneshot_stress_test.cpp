// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// send against receive against cancel: each value is received once or still there afterwards.

#include <atomic>
#include <cstdint>
#include <utility>

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

/// Holds one of the numbers that are alive.
struct counted {
    explicit counted(std::atomic<std::int64_t>& count) : alive(&count) { ++*alive; }
    counted(counted&& other) noexcept : alive(std::exchange(other.alive, nullptr)) {}
    counted& operator=(counted&&) = delete;
    ~counted() {
        if (alive != nullptr) --*alive;
    }
    std::atomic<std::int64_t>* alive;
};

weft::coro<bool> send_counted(weft::oneshot_sender<counted> sender,
                              std::atomic<std::int64_t>& alive) {
    co_return sender.send(counted{alive}).has_value();
}

weft::coro<bool> receive_or_go(weft::oneshot_receiver<counted> receiver, bool goes) {
    if (goes) co_return false;
    const counted value = co_await receiver;
    co_return value.alive != nullptr;
}

/// The two ends in tasks of their own: in every second round neither waits for the other.
weft::coro<std::uint64_t> ends(std::uint64_t count, std::atomic<std::int64_t>& alive) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const bool goes = i % 2 == 0;
        auto [sender, receiver] = weft::make_oneshot<counted>();
        auto receiving = weft::create_task(receive_or_go(std::move(receiver), goes));
        if (i % 3 == 0) co_await weft::yield();
        const bool returned = co_await send_counted(std::move(sender), alive);
        const bool received = co_await receiving;
        if (received != !goes || (returned && !goes) || alive != 0) ++wrong;
    }
    co_return wrong;
}

}  // namespace

TEST_CASE("whichever end of a oneshot goes last, the value and the block go with it") {
    for (unsigned workers : {1u, 2u, 4u}) {
        std::atomic<std::int64_t> alive{0};
        REQUIRE(weft::run(ends(weft::test::stress_iterations(20000), alive),
                          {.workers = workers}) == 0);
    }
}

TEST_CASE("send, receive and cancel race without losing a value") {
    for (unsigned workers : {1u, 2u, 4u}) {
        REQUIRE(weft::run(rounds(weft::test::stress_iterations(5000)), {.workers = workers}) == 0);
    }
}
