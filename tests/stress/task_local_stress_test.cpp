// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Task-local values while tasks migrate, create others, fork and end, and while other threads give
// the same tasks names and callbacks: everyone sees his own values, and none is left in the end.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/weft.hpp"

namespace {

std::atomic<std::int64_t> alive{0};
std::atomic<std::uint64_t> wrong{0};

/// Counts itself.
struct counted {
    explicit counted(int what) : value(what) { ++alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --alive; }
    int value;
};

const weft::task_local<std::shared_ptr<const counted>> shared{nullptr};
const weft::task_local<int> number{-1};
const weft::task_local<int> own{-1, weft::inheritance::none};

void expect(bool is_so) {
    if (!is_so) ++wrong;
}

weft::coro<> sees(int expected) {
    expect(number.get() == expected && shared.get()->value == expected && own.get() == -1);
    own.set(expected);
    number.set(expected + 1);
    co_await weft::yield();
    expect(number.get() == expected + 1 && shared.get()->value == expected);
}

weft::coro<> looks(int expected) {
    if (expected % 3 == 0) co_await weft::yield();
    expect(number.get() == expected && shared.get()->value == expected);
}

weft::coro<> is_busy(int seed, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const int mine = seed * 1000 + i;
        number.set(mine);
        own.set(mine);
        shared.set(std::make_shared<const counted>(mine));
        weft::task<> child = weft::create_task(sees(mine));
        if (i % 2 == 0) co_await weft::yield();
        {
            const auto scope = number.with(0);
            if (i % 3 == 0) co_await weft::yield();
            weft::current_task().set_name("busy");
        }
        co_await weft::when_all(looks(mine), looks(mine), looks(mine));
        child.add_done_callback([mine](weft::any_task) {
            expect(number.get() == mine && own.get() == -1);
            number.set(0);
        });
        co_await child;
        expect(number.get() == mine && own.get() == mine && shared.get()->value == mine);
    }
}

/// From a thread that is no worker: what makes the seldom-needed part of a task.
void disturb(const std::vector<weft::task<>>& tasks, const std::atomic<bool>& over) {
    while (!over) {
        for (const weft::task<>& t : tasks) {
            t.set_name("named");
            expect(!t.name().empty());
        }
    }
}

weft::coro<> waits_for(std::vector<weft::task<>>* tasks) {
    for (weft::task<>& t : *tasks) co_await t;
}

}  // namespace

TEST_CASE("task-local values are each task's own while tasks race, and none is left") {
    for (unsigned workers : {1u, 2u, 4u}) {
        {
            weft::runtime r{{.workers = workers}};
            const auto rounds = static_cast<int>(weft::test::stress_iterations(300));
            std::vector<weft::task<>> tasks;
            for (int i = 0; i < 8; ++i) tasks.push_back(r.spawn(is_busy(i, rounds)));
            std::atomic<bool> over{false};
            std::thread other{[&] { disturb(tasks, over); }};
            r.block_on(waits_for(&tasks));
            over = true;
            other.join();
        }
        CHECK(wrong == 0);
        CHECK(alive == 0);
    }
}
