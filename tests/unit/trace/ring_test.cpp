// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/trace/ring.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "weft/trace/events.hpp"

using namespace weft::trace;
using weft::detail::real_environment;
using weft::detail::trace_record;
using weft::detail::trace_ring;
using weft::detail::trace_ring_reader;

namespace {

struct ring_memory {
    explicit ring_memory(std::uint64_t capacity)
        : words(2 * capacity), ring{&head, words.data(), capacity} {}

    trace_ring<real_environment>::word head{0};
    std::vector<trace_ring<real_environment>::word> words;
    trace_ring<real_environment> ring;
};

}  // namespace

TEST_CASE("an emitter whose level is off writes nothing") {
    ring_memory memory(8);
    emitter e;
    task_run(e, 1, 0, run_source::local, 0);
    CHECK_FALSE(e.on(~0u));
    e.bind(memory.ring);
    e.set_mask(bits::full);
    task_run(e, 1, 0, run_source::local, 0);
    CHECK(memory.head.load() == 0);
}

#ifndef WEFT_NO_TRACE
TEST_CASE("a reader sees the records in order, with their stamps") {
    ring_memory memory(8);
    emitter e;
    e.bind(memory.ring);
    e.set_mask(bits::tasks);
    const std::uint64_t before = e.now();
    task_create(e, 42, 3u);
    task_run_at(e, before, 42, 0, run_source::next_slot, 5);
    task_finish(e, finish_result::value, 1, 96);

    trace_ring_reader<real_environment> reader(memory.ring);
    trace_record out[8];
    const auto got = reader.read(out, 8);
    REQUIRE(got.count == 3);
    CHECK(got.first == 0);
    CHECK(got.lost == 0);
    CHECK((out[0].stamp_and_event & 0xff) == static_cast<std::uint64_t>(event::task_create));
    CHECK(out[0].stamp_and_event >> 8 >= (before << 8 >> 8));
    CHECK(out[1].stamp_and_event == (before << 8 | static_cast<std::uint64_t>(event::task_run)));
    CHECK(out[1].payload == pack<event::task_run>(42, 0, run_source::next_slot, 5));
    CHECK(reader.read(out, 8).count == 0);
}
#endif

TEST_CASE("a reader that was lapped loses the oldest records and counts them") {
    ring_memory memory(16);
    emitter e;
    e.bind(memory.ring);
    e.set_mask(bits::tasks);
    for (std::uint64_t i = 0; i < 100; ++i) e.emit_at(i, event::mark, i);

    trace_ring_reader<real_environment> reader(memory.ring);
    trace_record out[16];
    const auto got = reader.read(out, 16);
    CHECK(got.lost + got.count == 100);
    CHECK(got.sequence == got.lost);
    for (std::size_t i = 0; i < got.count; ++i) {
        CHECK(out[got.first + i].payload == got.sequence + i);
    }
}

TEST_CASE("a ring that changes hands continues its numbers") {
    ring_memory memory(8);
    emitter first;
    first.bind(memory.ring);
    first.set_mask(bits::tasks);
    first.emit_at(1, event::mark, 1);
    emitter second;
    second.bind(memory.ring);
    second.set_mask(bits::tasks);
    trace_ring_reader<real_environment> reader(memory.ring);
    reader.skip_to_end();
    second.emit_at(2, event::mark, 2);
    trace_record out[8];
    const auto got = reader.read(out, 8);
    REQUIRE(got.count == 1);
    CHECK(got.sequence == 1);
    CHECK(out[0].payload == 2);
}

TEST_CASE("no record is torn while the writer laps the reader at full rate") {
    ring_memory memory(1024);
    emitter e;
    e.bind(memory.ring);
    e.set_mask(bits::tasks);
    constexpr std::uint64_t total = 2'000'000;
    std::atomic<bool> done{false};
    std::thread writer([&] {
        // Word 0 holds i in its stamp, word 1 a function of it: a torn record shows.
        for (std::uint64_t i = 0; i < total; ++i) e.emit_at(i, event::mark, i * 0x9e3779b97f4a7c15);
        done.store(true);
    });
    trace_ring_reader<real_environment> reader(memory.ring);
    std::vector<trace_record> out(256);
    std::uint64_t seen = 0, lost = 0, torn = 0, misplaced = 0;
    while (true) {
        const bool last = done.load();
        const auto got = reader.read(out.data(), out.size());
        lost += got.lost;
        seen += got.count;
        for (std::size_t i = got.first; i < got.first + got.count; ++i) {
            const std::uint64_t number = out[i].stamp_and_event >> 8;
            if (out[i].payload != number * 0x9e3779b97f4a7c15) ++torn;
            if (number != got.sequence + (i - got.first)) ++misplaced;
        }
        if (last && got.count == 0 && got.first == 0) break;
    }
    writer.join();
    CHECK(torn == 0);
    CHECK(misplaced == 0);
    CHECK(seen + lost == total);
    CHECK(seen > 0);
}
