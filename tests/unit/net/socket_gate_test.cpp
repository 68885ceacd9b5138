// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "net/socket_gate.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

using weft::detail::gate_duty;
using weft::detail::gate_entry;
using weft::detail::io_direction;
using gate_type = weft::detail::socket_gate<weft::detail::real_environment>;

}  // namespace

TEST_CASE("one reader and one writer enter a gate", "[net][gate]") {
    gate_type gate;
    CHECK(gate.begin(io_direction::read) == gate_entry::entered);
    CHECK(gate.begin(io_direction::read) == gate_entry::busy);
    CHECK(gate.begin(io_direction::write) == gate_entry::entered);
    CHECK(gate.begin(io_direction::write) == gate_entry::busy);
    CHECK(gate.end(io_direction::read) == gate_duty::none);
    CHECK(gate.begin(io_direction::read) == gate_entry::entered);
}

TEST_CASE("the closer finalises an unused socket, the owner frees it", "[net][gate]") {
    gate_type gate;
    REQUIRE(gate.begin_close());
    CHECK_FALSE(gate.begin_close());
    CHECK(gate.begin(io_direction::read) == gate_entry::closed);
    CHECK_FALSE(gate.enter_call());
    CHECK(gate.leave_call() == gate_duty::finalise);
    CHECK(gate.finish_finalise() == gate_duty::none);
    CHECK(gate.drop_owner() == gate_duty::free);
}

TEST_CASE("the last user finalises, and frees when the owner is gone", "[net][gate]") {
    gate_type gate;
    REQUIRE(gate.begin(io_direction::read) == gate_entry::entered);
    REQUIRE(gate.enter_call());
    REQUIRE(gate.begin_close());
    CHECK(gate.leave_call() == gate_duty::none);  // the closer's share
    CHECK(gate.drop_owner() == gate_duty::none);
    CHECK(gate.leave_call() == gate_duty::none);
    CHECK(gate.end(io_direction::read) == gate_duty::finalise);
    CHECK(gate.finish_finalise() == gate_duty::free);
}

TEST_CASE("an owner that goes during the finalise leaves the freeing to it", "[net][gate]") {
    gate_type gate;
    REQUIRE(gate.begin_close());
    REQUIRE(gate.leave_call() == gate_duty::finalise);
    CHECK(gate.drop_owner() == gate_duty::none);
    CHECK(gate.finish_finalise() == gate_duty::free);
}

TEST_CASE("only an unused socket can be taken away", "[net][gate]") {
    gate_type gate;
    REQUIRE(gate.begin(io_direction::write) == gate_entry::entered);
    CHECK_FALSE(gate.try_close_unused());
    CHECK(gate.end(io_direction::write) == gate_duty::none);
    REQUIRE(gate.enter_call());
    CHECK_FALSE(gate.try_close_unused());
    CHECK(gate.leave_call() == gate_duty::none);
    CHECK(gate.try_close_unused());
    CHECK(gate.is_closed());
    CHECK(gate.finish_finalise() == gate_duty::none);
    CHECK(gate.drop_owner() == gate_duty::free);
}

TEST_CASE("users, closers and the owner agree on one finaliser and one freer", "[net][gate]") {
    for (int round = 0; round < 300; ++round) {
        gate_type gate;
        std::atomic<int> finalised{0};
        std::atomic<int> freed{0};
        std::atomic<int> inside{0};
        auto settle = [&](gate_duty duty) {
            if (duty == gate_duty::finalise) {
                if (inside.load() != 0) finalised += 100;  // somebody was still in a system call
                ++finalised;
                duty = gate.finish_finalise();
            }
            if (duty == gate_duty::free) ++freed;
        };
        std::vector<std::thread> threads;
        for (io_direction direction : {io_direction::read, io_direction::write}) {
            threads.emplace_back([&, direction] {
                while (gate.begin(direction) == gate_entry::entered) {
                    ++inside;
                    --inside;
                    settle(gate.end(direction));
                }
            });
        }
        threads.emplace_back([&] {
            while (gate.enter_call()) {
                ++inside;
                --inside;
                settle(gate.leave_call());
            }
        });
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([&] {
                if (gate.begin_close()) settle(gate.leave_call());
            });
        }
        for (auto& each : threads) each.join();
        settle(gate.drop_owner());
        REQUIRE(finalised == 1);
        REQUIRE(freed == 1);
    }
}
