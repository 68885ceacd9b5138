// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/trace/layout.hpp"

#include <set>
#include <string>

#include "support/catch.hpp"

using namespace weft::trace;

TEST_CASE("every event's fields fit in 64 bits and its number is used once") {
    std::set<int> numbers;
    for (const layout& shape : weft::detail::trace_layouts::table) {
        unsigned total = 0;
        for (std::size_t i = 0; i < shape.field_count(); ++i) total += shape.fields[i].bits;
        INFO(shape.name);
        CHECK(total <= 64);
        CHECK(numbers.insert(static_cast<int>(shape.id)).second);
    }
}

TEST_CASE("a payload unpacks to what was packed") {
    constexpr std::uint64_t payload =
        pack<event::task_run>(task_id{0x123456789abc}, 7u, run_source::stolen, 200u);
    const auto values = unpack(layout_of(event::task_run), payload);
    CHECK(values[0] == 0x123456789abc);
    CHECK(values[1] == 7);
    CHECK(values[2] == static_cast<std::uint64_t>(run_source::stolen));
    CHECK(values[3] == 200);
}

TEST_CASE("a number that is too large becomes the largest and a run number wraps") {
    const auto run = unpack(layout_of(event::task_run),
                            pack<event::task_run>(~task_id{0}, 17u, run_source::io, 100'000u));
    CHECK(run[0] == (task_id{1} << task_id_bits) - 1);
    CHECK(run[1] == 1);
    CHECK(run[3] == 255);
    const auto submit = unpack(layout_of(event::io_submit),
                               pack<event::io_submit>(5, io_operation::read, std::int64_t{-11}));
    CHECK(static_cast<std::int32_t>(submit[2]) == -11);
}

TEST_CASE("a packed duration is within one part in a thousand") {
    for (std::uint64_t ns = 1; ns < (std::uint64_t{1} << 42); ns = ns * 9 / 7 + 1) {
        const std::uint64_t back = unpack_duration(pack_duration(ns));
        CHECK(back <= ns);
        CHECK(ns - back <= ns / 1000);
    }
    CHECK(unpack_duration(pack_duration(~std::uint64_t{0})) > 4'000'000'000'000);
}

TEST_CASE("an enumeration's names stand in the order of its values") {
    const field& reason = layout_of(event::task_suspend).fields[0];
    std::string names = reason.values;
    for (int i = 0; i < static_cast<int>(suspend_reason::io_accept); ++i) {
        names.erase(0, names.find(' ') + 1);
    }
    CHECK(names.substr(0, names.find(' ')) == "io_accept");
    CHECK(names.ends_with("signal file"));
}

TEST_CASE("an event that does not exist has no layout") {
    CHECK(layout_of(static_cast<event>(200)).id == event::none);
}
