// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/injection_queue.hpp"

#include <numeric>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

using queue_type = weft::detail::injection_queue<int>;

std::vector<int> numbered(std::size_t count) {
    std::vector<int> items(count);
    std::iota(items.begin(), items.end(), 0);
    return items;
}

}  // namespace

TEST_CASE("an empty injection queue says so", "[queue][injection]") {
    queue_type queue(2);
    CHECK_FALSE(queue.maybe_nonempty());
    CHECK(queue.try_pop(0) == nullptr);
    CHECK(queue.try_pop(1) == nullptr);
}

TEST_CASE("items of one producer come out in order", "[queue][injection]") {
    queue_type queue(3);
    auto items = numbered(2000);
    SECTION("pushed by a foreign thread") {
        for (int& item : items) queue.push(item);
    }
    SECTION("pushed by a worker") {
        for (int& item : items) queue.push(2, item);
    }
    CHECK(queue.maybe_nonempty());
    for (int& item : items) REQUIRE(queue.try_pop(1) == &item);
    CHECK(queue.try_pop(1) == nullptr);
    CHECK_FALSE(queue.maybe_nonempty());
}

TEST_CASE("with one worker all producers are one line", "[queue][injection]") {
    queue_type queue(1);
    auto items = numbered(300);
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i % 3 == 0) {
            queue.push(0, items[i]);
        } else if (i % 3 == 1) {
            queue.push(items[i]);
        } else {
            std::thread([&] { queue.push(items[i]); }).join();
        }
    }
    for (int& item : items) REQUIRE(queue.try_pop(0) == &item);
}

TEST_CASE("items of several producers all come out once", "[queue][injection]") {
    queue_type queue(4);
    auto items = numbered(400);
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i % 5 == 4) {
            queue.push(items[i]);
        } else {
            queue.push(i % 5, items[i]);
        }
    }
    std::vector<int> seen(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        int* item = queue.try_pop(i % 4);
        REQUIRE(item != nullptr);
        ++seen[static_cast<std::size_t>(*item)];
    }
    CHECK(seen == std::vector<int>(items.size(), 1));
    CHECK(queue.try_pop(0) == nullptr);
}
