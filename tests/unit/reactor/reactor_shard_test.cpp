// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/reactor/reactor_shard.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace weft::detail;
using std::chrono::nanoseconds;

/// A poller whose events the test makes.
class scripted_poller final : public poller {
public:
    std::error_code add(int fd, std::uint64_t token) noexcept override {
        if (next_error) return std::exchange(next_error, {});
        tokens[fd] = token;
        return {};
    }
    std::error_code remove(int fd) noexcept override {
        tokens.erase(fd);
        return {};
    }
    std::expected<std::size_t, std::error_code> wait(std::span<poll_event> out,
                                                     nanoseconds) noexcept override {
        if (next_error) return std::unexpected(std::exchange(next_error, {}));
        const std::size_t count = std::min(out.size(), events.size());
        std::copy_n(events.begin(), count, out.begin());
        events.erase(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(count));
        return count;
    }
    void wake() noexcept override { ++wakes; }

    std::map<int, std::uint64_t> tokens;
    std::deque<poll_event> events;
    std::error_code next_error;
    int wakes = 0;
};

struct scripted_shard {
    scripted_poller* kernel = nullptr;
    reactor_shard shard;

    scripted_shard() : scripted_shard(std::make_unique<scripted_poller>()) {}
    explicit scripted_shard(std::unique_ptr<scripted_poller> owned)
        : kernel(owned.get()), shard(std::move(owned)) {}

    std::vector<io_waiter*> poll() {
        std::vector<io_waiter*> woken;
        const auto count =
            shard.poll(nanoseconds{0}, [&](io_waiter* waiter) { woken.push_back(waiter); });
        REQUIRE(count.has_value());
        CHECK(*count == woken.size());
        return woken;
    }
    void close(reactor_slot* slot, int fd) {
        shard.close(*slot, [](io_waiter*) {});
        shard.remove(*slot, fd);
    }
};

}  // namespace

TEST_CASE("an event wakes the waiter of its direction only", "[reactor][shard]") {
    scripted_shard test;
    auto* slot = test.shard.add(7).value();
    io_waiter reader;
    io_waiter writer;
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    REQUIRE(slot->word(io_direction::write).prepare(&writer) == io_prepare::waiting);
    test.kernel->events.push_back({.token = test.kernel->tokens[7], .readable = true});
    CHECK(test.poll() == std::vector<io_waiter*>{&reader});
    test.kernel->events.push_back({.token = test.kernel->tokens[7], .writable = true});
    CHECK(test.poll() == std::vector<io_waiter*>{&writer});
    CHECK(test.poll().empty());
    test.close(slot, 7);
    CHECK(test.kernel->tokens.empty());
}

TEST_CASE("a hang-up wakes both directions", "[reactor][shard]") {
    scripted_shard test;
    auto* slot = test.shard.add(7).value();
    io_waiter reader;
    io_waiter writer;
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    REQUIRE(slot->word(io_direction::write).prepare(&writer) == io_prepare::waiting);
    test.kernel->events.push_back(
        {.token = test.kernel->tokens[7], .readable = true, .writable = true, .hang_up = true});
    CHECK(test.poll() == std::vector<io_waiter*>{&reader, &writer});
    CHECK(slot->word(io_direction::read).has_hang_up());
    test.close(slot, 7);
}

TEST_CASE("a late event in the same batch does not reach the next owner of its slot",
          "[reactor][shard]") {
    // Two descriptors are ready in one batch. The handler of the first closes the second and opens
    // another one, which gets the same slot: the second event must not wake it.
    scripted_shard test;
    auto* first = test.shard.add(7).value();
    auto* second = test.shard.add(8).value();
    io_waiter first_reader;
    io_waiter old_reader;
    io_waiter new_reader;
    REQUIRE(first->word(io_direction::read).prepare(&first_reader) == io_prepare::waiting);
    REQUIRE(second->word(io_direction::read).prepare(&old_reader) == io_prepare::waiting);
    test.kernel->events.push_back({.token = test.kernel->tokens[7], .readable = true});
    test.kernel->events.push_back({.token = test.kernel->tokens[8], .readable = true});
    std::vector<io_waiter*> woken;
    reactor_slot* third = nullptr;
    const auto count = test.shard.poll(nanoseconds{0}, [&](io_waiter* waiter) {
        woken.push_back(waiter);
        if (waiter != &first_reader) return;
        test.shard.close(*second, [&](io_waiter* closed) { woken.push_back(closed); });
        test.shard.remove(*second, 8);
        third = test.shard.add(8).value();
        REQUIRE(third->word(io_direction::read).prepare(&new_reader) == io_prepare::waiting);
    });
    REQUIRE(count.has_value());
    CHECK(third == second);
    CHECK(woken == std::vector<io_waiter*>{&first_reader, &old_reader});
    CHECK(test.shard.counters().stale == 1);
    CHECK(third->word(io_direction::read).cancel(&new_reader));
    test.close(first, 7);
    test.close(third, 8);
}

TEST_CASE("closing hands out both waiters", "[reactor][shard]") {
    scripted_shard test;
    auto* slot = test.shard.add(7).value();
    io_waiter reader;
    io_waiter writer;
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    REQUIRE(slot->word(io_direction::write).prepare(&writer) == io_prepare::waiting);
    std::vector<io_waiter*> woken;
    test.shard.close(*slot, [&](io_waiter* waiter) { woken.push_back(waiter); });
    CHECK(woken == std::vector<io_waiter*>{&reader, &writer});
    CHECK(slot->word(io_direction::read).prepare(&reader) == io_prepare::closed);
    CHECK(test.shard.registered() == 1);
    test.shard.remove(*slot, 7);
    CHECK(test.shard.registered() == 0);
}

TEST_CASE("a refused registration leaves no slot behind", "[reactor][shard]") {
    scripted_shard test;
    for (std::errc error : {std::errc::no_space_on_device, std::errc::not_enough_memory,
                            std::errc::operation_not_permitted}) {
        test.kernel->next_error = std::make_error_code(error);
        const auto slot = test.shard.add(7);
        REQUIRE_FALSE(slot.has_value());
        CHECK(slot.error() == error);
        CHECK(test.shard.registered() == 0);
    }
    auto* slot = test.shard.add(7).value();
    io_waiter reader;
    CHECK(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    test.close(slot, 7);
}

TEST_CASE("a failing wait is reported", "[reactor][shard]") {
    scripted_shard test;
    test.kernel->next_error = std::make_error_code(std::errc::bad_file_descriptor);
    const auto count = test.shard.poll(nanoseconds{0}, [](io_waiter*) {});
    REQUIRE_FALSE(count.has_value());
    CHECK(count.error() == std::errc::bad_file_descriptor);
    CHECK(test.poll().empty());
    CHECK(test.shard.counters().polls == 2);
}

TEST_CASE("more events than a batch wait for the next poll", "[reactor][shard]") {
    scripted_shard test;
    auto* slot = test.shard.add(7).value();
    for (std::size_t i = 0; i < reactor_shard::batch_limit + 10; ++i) {
        test.kernel->events.push_back({.token = test.kernel->tokens[7], .readable = true});
    }
    CHECK(test.poll().empty());
    CHECK(test.shard.counters().events == reactor_shard::batch_limit);
    CHECK(test.poll().empty());
    CHECK(test.shard.counters().events == reactor_shard::batch_limit + 10);
    test.shard.wake();
    CHECK(test.kernel->wakes == 1);
    test.close(slot, 7);
}

TEST_CASE("a slot outlives its shard and knows it", "[reactor][shard]") {
    auto owned = std::make_unique<scripted_poller>();
    auto shard = std::make_unique<reactor_shard>(std::move(owned));
    auto* slot = shard->add(7).value();
    auto* other = shard->add(8).value();
    CHECK_FALSE(reactor_shard::is_orphaned(*slot));
    shard.reset();
    CHECK(reactor_shard::is_orphaned(*slot));
    for (auto [each, fd] : {std::pair(slot, 7), std::pair(other, 8)}) {
        reactor_shard::close(*each, [](io_waiter*) {});
        reactor_shard::remove(*each, fd);
    }
}
