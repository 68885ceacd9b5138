// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/work_deque.hpp"

#include <algorithm>
#include <deque>
#include <new>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/seed.hpp"

namespace {

using weft::detail::push_result;
using weft::detail::real_environment;
using weft::detail::steal_outcome;
using deque_type = weft::detail::work_deque<real_environment, int>;

/// Items that are told apart by address and readable by value.
std::vector<int> numbered(int count) {
    std::vector<int> items(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) items[static_cast<std::size_t>(i)] = i;
    return items;
}

}  // namespace

TEST_CASE("an empty deque gives nothing at either end", "[queue][deque]") {
    deque_type deque;
    auto owner = deque.owner();
    auto thief = deque.thief();
    auto mine_deque = deque_type(2);
    auto mine = mine_deque.owner();
    CHECK(owner.pop() == nullptr);
    CHECK(owner.take_front() == nullptr);
    CHECK(thief.steal().outcome == steal_outcome::empty);
    CHECK(thief.steal_fifo().outcome == steal_outcome::empty);
    CHECK(thief.steal_half(mine).outcome == steal_outcome::empty);
    CHECK(deque.is_empty());
    CHECK(deque.size_hint() == 0);
}

TEST_CASE("a thief whose turn it is not leaves a deque alone", "[queue][deque]") {
    auto items = numbered(2);
    deque_type deque;
    auto owner = deque.owner();
    auto thief = deque.thief();
    real_environment::initialise();
    if (!real_environment::has_asymmetric_fence()) return;  // no membarrier(2) here, so no turns
    weft::detail::thief_turn<real_environment> turn;
    REQUIRE(turn.try_take());
    CHECK_FALSE(turn.try_take());
    CHECK(thief.steal(turn).outcome == steal_outcome::empty);  // that takes no turn to see
    owner.push(&items[0]);
    owner.push(&items[1]);
    CHECK(thief.steal(turn).outcome == steal_outcome::not_in_turn);
    CHECK(deque.size_hint() == 2);
    turn.give_back();
    CHECK(thief.steal(turn).item == &items[0]);
    CHECK(thief.steal(turn).item == &items[1]);
    CHECK(turn.try_take());
}

TEST_CASE("the owner pops the newest, thieves take the oldest", "[queue][deque]") {
    deque_type deque(4);
    auto owner = deque.owner();
    auto thief = deque.thief();
    auto items = numbered(4);
    for (int& item : items) owner.push(&item);
    CHECK(owner.pop() == &items[3]);
    CHECK(thief.steal().item == &items[0]);
    CHECK(owner.take_front() == &items[1]);
    CHECK(deque.size_hint() == 1);
    CHECK(owner.pop() == &items[2]);
    CHECK(owner.pop() == nullptr);
    CHECK_FALSE(thief.steal());
}

TEST_CASE("the owner may steal from itself", "[queue][deque]") {
    deque_type deque;
    auto owner = deque.owner();
    int item = 0;
    owner.push(&item);
    CHECK(deque.thief().steal().item == &item);
    CHECK(owner.pop() == nullptr);
    owner.push(&item);
    CHECK(owner.pop() == &item);
}

TEST_CASE("a deque grows and keeps order and contents", "[queue][deque]") {
    const int start = GENERATE(0, 1, 2, 3, 5);
    deque_type deque(2);
    auto owner = deque.owner();
    auto items = numbered(1000);
    int junk = -1;
    for (int i = 0; i < start; ++i) {  // moves the indices, so that rings are copied around the end
        owner.push(&junk);
        REQUIRE(owner.take_front() == &junk);
    }
    for (int& item : items) owner.push(&item);
    CHECK(deque.size_hint() == items.size());
    for (std::size_t i = 0; i < 500; ++i) REQUIRE(deque.thief().steal_fifo().item == &items[i]);
    for (std::size_t i = 1000; i-- > 500;) REQUIRE(owner.pop() == &items[i]);
    CHECK(owner.pop() == nullptr);
}

TEST_CASE("a reserved deque does not grow", "[queue][deque]") {
    deque_type deque(2);
    auto owner = deque.owner();
    auto items = numbered(100);
    owner.push(&items[0]);
    owner.reserve(99);
    for (std::size_t i = 1; i < 100; ++i) owner.push(&items[i]);
    for (std::size_t i = 0; i < 100; ++i) REQUIRE(owner.take_front() == &items[i]);
}

TEST_CASE("several items are pushed at once, or none", "[queue][deque]") {
    deque_type deque(4);
    auto owner = deque.owner();
    auto items = numbered(6);
    int calls = 0;
    const auto three = [&](std::int64_t height, auto put) {
        ++calls;
        CHECK(height == owner.height());
        for (std::size_t i = 0; i < 3; ++i) put(&items[i]);
    };
    REQUIRE(owner.try_push_all(3, three) == push_result::alone);
    CHECK(calls == 1);
    CHECK(deque.thief().steal().item == &items[0]);
    CHECK(owner.try_push_all(3, three) == push_result::no_room);
    CHECK(calls == 1);
    CHECK(owner.pop() == &items[2]);
    REQUIRE(owner.try_push_all(0, [](std::int64_t, auto) {}) == push_result::above_others);
    CHECK(owner.try_push_all(3, three) == push_result::no_room);
    owner.reserve(3);  // sees what the thief has taken
    REQUIRE(owner.try_push_all(3, three) == push_result::above_others);
    CHECK(owner.try_push_all(1, three) == push_result::no_room);
    int* item = nullptr;
    for (std::size_t i : {2u, 1u, 0u}) {
        REQUIRE(owner.pop_above_others(owner.height(), item));
        CHECK(item == &items[i]);
    }
    const auto height = owner.height();
    CHECK(!owner.pop_above_others(height, item));  // a thief may want it
    CHECK(owner.height() == height);
    CHECK(owner.pop() == &items[1]);
    CHECK(owner.height() == height);  // it was claimed
    REQUIRE(owner.try_push_all(1, [&](std::int64_t, auto put) { put(&items[0]); }) ==
            push_result::alone);
    REQUIRE(deque.thief().steal().item == &items[0]);
    CHECK(!owner.pop_above_others(owner.height(), item));
    CHECK(owner.pop() == nullptr);
}

TEST_CASE("half of a deque moves, oldest first, at most a batch", "[queue][deque]") {
    const int size = GENERATE(1, 2, 3, 4, 7, 63, 64, 65, 66, 200);
    deque_type from(4);
    deque_type into(2);
    auto victim = from.owner();
    auto mine = into.owner();
    auto items = numbered(size);
    for (int& item : items) victim.push(&item);
    const auto taken = from.thief().steal_half(mine);
    const std::size_t expected = std::min<std::size_t>((items.size() + 1) / 2, 32);
    REQUIRE(taken.outcome == steal_outcome::item);
    CHECK(taken.item == &items[0]);
    CHECK(taken.moved + 1 == expected);
    CHECK(into.size_hint() == taken.moved);
    for (std::size_t i = 1; i < expected; ++i) REQUIRE(mine.take_front() == &items[i]);
    for (std::size_t i = expected; i < items.size(); ++i) {
        REQUIRE(victim.take_front() == &items[i]);
    }
    CHECK(from.is_empty());
}

TEST_CASE("an impossible reserve throws and changes nothing", "[queue][deque]") {
    deque_type deque(2);
    auto owner = deque.owner();
    auto items = numbered(2);
    for (int& item : items) owner.push(&item);
    for (const std::size_t more : {std::size_t{1} << 60, std::size_t{PTRDIFF_MAX}, SIZE_MAX}) {
        CHECK_THROWS_AS(owner.reserve(more), std::bad_alloc);
    }
    CHECK(owner.pop() == &items[1]);
    CHECK(owner.pop() == &items[0]);
}

TEST_CASE("a moved owner handle keeps the right", "[queue][deque]") {
    deque_type deque;
    auto first = deque.owner();
    auto second = std::move(first);
    int item = 0;
    second.push(&item);
    CHECK(second.pop() == &item);
}

TEST_CASE("a deque behaves like std::deque under random operations", "[queue][deque]") {
    std::mt19937_64 random(weft::test::seed());
    for (int round = 0; round < 50; ++round) {
        deque_type deque(2);
        deque_type other(2);
        auto owner = deque.owner();
        auto mine = other.owner();
        std::deque<int*> oracle;
        auto items = numbered(400);
        for (int& item : items) {
            switch (random() % 8) {
                case 0: {
                    int* expected = oracle.empty() ? nullptr : oracle.back();
                    if (expected != nullptr) oracle.pop_back();
                    REQUIRE(owner.pop() == expected);
                    break;
                }
                case 1:
                case 2: {
                    int* expected = oracle.empty() ? nullptr : oracle.front();
                    if (expected != nullptr) oracle.pop_front();
                    REQUIRE((random() % 2 == 0 ? owner.take_front() : deque.thief().steal().item) ==
                            expected);
                    break;
                }
                case 3: {
                    auto taken = deque.thief().steal_half(mine);
                    for (int* got = taken.item; got != nullptr; got = mine.take_front()) {
                        REQUIRE(got == oracle.front());
                        oracle.pop_front();
                    }
                    break;
                }
                default:
                    owner.push(&item);
                    oracle.push_back(&item);
            }
            REQUIRE(deque.size_hint() == oracle.size());
        }
    }
}
