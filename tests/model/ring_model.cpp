// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The trace ring under the model checker: a writer that never waits laps a reader that copies.
// Every record that the reader returns is whole and in its place, and what it lost is counted.
#include "weft/trace/ring.hpp"

#include <array>

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::trace_record;
using emitter = weft::detail::basic_emitter<env>;
using reader = weft::detail::trace_ring_reader<env>;
using ring = weft::detail::trace_ring<env>;

template <std::size_t Capacity>
struct ring_memory {
    explicit ring_memory(scenario& s) {
        s.name(head, "head");
        s.name(words, "words");
    }
    ring::word head{0};
    std::array<ring::word, 2 * Capacity> words;
    ring layout{&head, words.data(), Capacity};
};

/// Record number n carries n + 1 in both words.
void write(emitter& to, std::uint64_t n) { to.emit_at(n + 1, weft::trace::event::none, n + 1); }

/// Reads once; checks that the records are whole and numbered as the batch says.
void read(reader& from, std::uint64_t& expected) {
    std::array<trace_record, 8> out;
    auto batch = from.read(out.data(), out.size());
    require(batch.sequence == expected + batch.lost, "every record is returned or counted as lost");
    for (std::size_t i = 0; i < batch.count; ++i) {
        const trace_record& record = out[batch.first + i];
        std::uint64_t number = batch.sequence + i + 1;
        require(record.stamp_and_event >> 8 == number, "the stamp is this record's");
        require(record.payload == number, "the payload is this record's");
    }
    expected = batch.sequence + batch.count;
}

template <std::size_t Capacity>
scenario_body lapping(std::uint64_t written) {
    return [=](scenario& s) {
        ring_memory<Capacity> memory(s);
        emitter tested;
        tested.bind(memory.layout);
        tested.set_mask(weft::trace::bits::full);
        s.thread("owner", [&] {
            for (std::uint64_t n = 0; n < written; ++n) write(tested, n);
        });
        std::uint64_t expected = 0;
        reader from(memory.layout);
        s.thread("reader", [&] {
            read(from, expected);
            read(from, expected);
        });
        s.finally([&] {
            read(from, expected);
            require(expected == written, "the last read gets the rest");
        });
    };
}

const registered_case tiny({
    .structure = "ring",
    .name = "a reader of two slots is lapped twice",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 3},
    .body = lapping<2>(5),
});

const registered_case small({
    .structure = "ring",
    .name = "a reader of four slots is lapped while it copies",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body = lapping<4>(7),
});

const registered_case binding({
    .structure = "ring",
    .name = "an owner sees its ring once the mask is on",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            ring_memory<2> memory(s);
            emitter tested;
            env::cell<int> bound{0};  // stands for the plain members that bind() writes
            s.thread("control", [&] {
                tested.bind(memory.layout);
                bound.store(1);
                tested.set_mask(weft::trace::bits::full);
            });
            s.thread("owner", [&] {
                if (!tested.on(weft::trace::bits::full)) return;
                write(tested, 0);
                require(bound.load() == 1, "the binding is visible");
            });
            s.finally([] {});
        },
});

}  // namespace

#ifndef WEFT_NO_TRACE
TEST_CASE("a lapped trace reader returns whole records and counts the rest", "[ring]") {
    check_cases("ring");
}
#endif

}  // namespace weft::model
