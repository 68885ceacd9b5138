// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/sync/oneshot.hpp"

#include <csignal>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;

weft::coro<int> receive_later(weft::oneshot_receiver<int> receiver) { co_return co_await receiver; }

weft::coro<> send_later(weft::oneshot_sender<int> sender, int value) {
    co_await weft::yield();
    sender.send(value);
}

}  // namespace

TEST_CASE("a value sent before the receive is taken without suspending") {
    auto body = []() -> weft::coro<int> {
        auto [sender, receiver] = weft::make_oneshot<int>();
        sender.send(7);
        co_return co_await receiver;
    };
    REQUIRE(weft::run(body()) == 7);
}

TEST_CASE("a waiting receive is woken by a send from a task or from a foreign thread") {
    auto body = []() -> weft::coro<int> {
        auto first = weft::make_oneshot<int>();
        auto second = weft::make_oneshot<int>();
        auto waiting = weft::create_task(receive_later(std::move(first.receiver)));
        auto also = weft::create_task(receive_later(std::move(second.receiver)));
        auto sending = weft::create_task(send_later(std::move(first.sender), 3));
        std::thread outside{[s = std::move(second.sender)]() mutable { s.send(4); }};
        int sum = co_await waiting + co_await also;
        co_await sending;
        outside.join();
        co_return sum;
    };
    for (unsigned workers : {1u, 2u}) REQUIRE(weft::run(body(), {.workers = workers}) == 7);
}

TEST_CASE("a sender that goes away unsent ends the receive with channel_closed") {
    auto body = []() -> weft::coro<> {
        auto pair = weft::make_oneshot<int>();
        auto waiting = weft::create_task(receive_later(std::move(pair.receiver)));
        co_await weft::yield();
        {
            auto gone = std::move(pair.sender);
        }
        co_await waiting;
    };
    REQUIRE_THROWS_AS(weft::run(body()), weft::channel_closed);
}

TEST_CASE("a send to a receiver that is gone gives the value back") {
    auto pair = weft::make_oneshot<std::unique_ptr<int>>();
    {
        auto gone = std::move(pair.receiver);
    }
    auto returned = pair.sender.send(std::make_unique<int>(5));
    REQUIRE(returned.has_value());
    REQUIRE(**returned == 5);
}

TEST_CASE("a value whose move throws was not sent, and the sender may try again or go") {
    struct stubborn {
        explicit stubborn(bool r) : refuses(r) {}
        stubborn(stubborn&& other) : refuses(other.refuses) {
            if (std::exchange(armed, false) && refuses) throw std::runtime_error("no");
        }
        stubborn& operator=(stubborn&&) = delete;
        bool refuses;
        bool armed = true;
    };
    auto body = [](bool retry) -> weft::coro<bool> {
        auto pair = weft::make_oneshot<stubborn>();
        {
            auto sender = std::move(pair.sender);
            try {
                sender.send(stubborn{true});
                CHECK(false);
            } catch (const std::runtime_error&) {
            }
            if (retry) sender.send(stubborn{false});
        }
        try {
            stubborn got = co_await pair.receiver;
            co_return !got.refuses;
        } catch (const weft::channel_closed&) {
            co_return !retry;
        }
    };
    REQUIRE(weft::run(body(false), {.workers = 1}));
    REQUIRE(weft::run(body(true), {.workers = 1}));
}

TEST_CASE("a receiver that goes while a task awaits it stops the program with a sentence") {
    auto result = weft::test::in_child([] {
        auto wait_on = [](weft::oneshot_receiver<int>* receiver) -> weft::coro<int> {
            co_return co_await *receiver;
        };
        auto body = [&]() -> weft::coro<int> {
            auto pair = std::make_unique<weft::oneshot_pair<int>>(weft::make_oneshot<int>());
            auto waiting = weft::create_task(wait_on(&pair->receiver));
            co_await weft::yield();
            pair.reset();
            co_return 0;
        };
        return weft::run(body(), {.workers = 1});
    });
    CHECK(result.signal == SIGABRT);
    CHECK(result.output.find("while a task awaits it") != std::string::npos);
}

TEST_CASE("a cancelled receive loses nothing") {
    auto wait_on = [](weft::oneshot_receiver<int>* receiver) -> weft::coro<int> {
        co_return co_await *receiver;
    };
    auto body = [&]() -> weft::coro<int> {
        auto pair = weft::make_oneshot<int>();
        auto waiting = weft::create_task(wait_on(&pair.receiver));
        co_await weft::yield();
        waiting.cancel();
        pair.sender.send(9);
        bool was_cancelled = false;
        try {
            co_await waiting;
        } catch (const weft::cancelled&) {
            was_cancelled = true;
        }
        REQUIRE(was_cancelled);
        co_return co_await pair.receiver;
    };
    REQUIRE(weft::run(body(), {.workers = 1}) == 9);
}

TEST_CASE("a second task at one receiver is told so and the first is served") {
    auto wait_on = [](weft::oneshot_receiver<int>* receiver) -> weft::coro<int> {
        co_return co_await *receiver;
    };
    auto body = [&]() -> weft::coro<int> {
        auto pair = weft::make_oneshot<int>();
        auto first = weft::create_task(wait_on(&pair.receiver));
        auto second = weft::create_task(wait_on(&pair.receiver));
        co_await weft::yield();
        bool refused = false;
        try {
            co_await second;
        } catch (const weft::usage_error&) {
            refused = true;
        }
        REQUIRE(refused);
        pair.sender.send(11);
        co_return co_await first;
    };
    REQUIRE(weft::run(body(), {.workers = 1}) == 11);
}
