// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/reactor/io_slot.hpp"

#include <set>
#include <vector>

#include "support/catch.hpp"
#include "weft/reactor/reactor_shard.hpp"

namespace {

using weft::detail::closed_waiters;
using weft::detail::io_direction;
using weft::detail::io_prepare;
using weft::detail::io_token;
using weft::detail::io_waiter;
using weft::detail::real_environment;
using core_type = weft::detail::reactor_core<real_environment>;

}  // namespace

TEST_CASE("a token survives packing", "[reactor][slot]") {
    const io_token token{.index = 0xfedcba98U, .generation = 0x01234567U};
    const io_token back = io_token::unpack(token.packed());
    CHECK(back.index == token.index);
    CHECK(back.generation == token.generation);
}

TEST_CASE("slots keep their address and are found by index", "[reactor][slot]") {
    core_type core(nullptr);
    auto& slab = core.slots;
    std::vector<weft::detail::io_slot<real_environment>*> slots;
    std::set<std::uint32_t> indices;
    for (int i = 0; i < 1000; ++i) {
        slots.push_back(slab.acquire(core));
        indices.insert(slots.back()->token().index);
    }
    CHECK(indices.size() == 1000);
    CHECK(*indices.rbegin() < 2048);
    for (auto* slot : slots) CHECK(slab.find(slot->token().index) == slot);
    CHECK(slab.in_use() == 1000);
    for (auto* slot : slots) slab.release(slot);
    CHECK(slab.in_use() == 0);
}

TEST_CASE("an index that was never handed out is not found", "[reactor][slot]") {
    core_type core(nullptr);
    auto& slab = core.slots;
    CHECK(slab.find(0) == nullptr);
    auto* slot = slab.acquire(core);
    CHECK(slab.find(slot->token().index) == slot);
    CHECK(slab.find(64) == nullptr);
    CHECK(slab.find(0xffffffffU) == nullptr);
    slab.release(slot);
}

TEST_CASE("a reused slot begins another life", "[reactor][slot]") {
    core_type core(nullptr);
    auto& slab = core.slots;
    auto* slot = slab.acquire(core);
    const io_token first = slot->token();
    io_waiter reader;
    io_waiter writer;
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    REQUIRE(slot->word(io_direction::write).prepare(&writer) == io_prepare::waiting);
    const closed_waiters waiters = slot->close();
    CHECK(waiters.reader == &reader);
    CHECK(waiters.writer == &writer);
    CHECK_FALSE(slot->matches(first));
    slab.release(slot);
    auto* again = slab.acquire(core);
    REQUIRE(again == slot);
    CHECK(again->token().index == first.index);
    CHECK(again->token().generation != first.generation);
    CHECK_FALSE(again->matches(first));
    CHECK(again->matches(again->token()));
    CHECK(again->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    static_cast<void>(again->close());
    slab.release(again);
}
