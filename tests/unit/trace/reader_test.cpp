// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/trace/reader.hpp"

#include <random>
#include <string>

#include "support/catch.hpp"
#include "support/seed.hpp"
#include "trace/chunk_encoding.hpp"
#include "weft/trace/layout.hpp"

using namespace weft::trace;
using weft::detail::append_fixed;
using weft::detail::append_string;
using weft::detail::append_varint;

namespace {

std::string chunk(chunk_type type, const std::string& payload) {
    std::string head;
    append_fixed(head, static_cast<std::uint32_t>(type));
    append_fixed(head, static_cast<std::uint32_t>(payload.size()));
    const std::string all = head + payload;
    std::string bytes;
    append_fixed(bytes, chunk_marker);
    bytes += head;
    append_fixed(bytes, crc32(0, reinterpret_cast<const unsigned char*>(all.data()), all.size()));
    return bytes + payload;
}

std::string events(std::uint32_t emitter, std::uint64_t first, std::uint32_t count) {
    std::string payload;
    weft::detail::append_event_head(payload, {emitter, count, first, 1000 + first * 10, 0});
    weft::detail::record_encoder encoder(1000 + first * 10);
    for (std::uint64_t i = first; i < first + count; ++i) {
        const auto id =
            static_cast<std::uint64_t>(i % 2 == 0 ? event::task_run : event::task_suspend);
        const std::uint64_t payload_word =
            i % 2 == 0 ? pack<event::task_run>(i * 1'000'003, i, run_source::stolen, i)
                       : pack<event::task_suspend>(suspend_reason::timer, i, i * 77);
        encoder.append(payload, 1000 + i * 10 + emitter, {id, payload_word});
    }
    return payload;
}

std::string small_trace() {
    std::string bytes(file_magic);
    append_fixed(bytes, file_version);
    append_fixed(bytes, std::uint32_t{0});
    bytes += chunk(chunk_type::meta, "process=1\ncommand=a b\n");
    bytes += chunk(chunk_type::layouts, weft::detail::encode_layouts());
    std::string clocks;
    for (const unsigned word : {1000u, 500'000u, 7u, 8u, 3000u, 501'000u, 7u, 8u})
        append_fixed(clocks, std::uint64_t{word});
    bytes += chunk(chunk_type::clocks, clocks);
    std::string names;
    append_varint(names, 5);
    append_string(names, "five");
    bytes += chunk(chunk_type::names, names);
    bytes += chunk(chunk_type::events, events(0, 0, 20));
    bytes += chunk(chunk_type::events, events(1, 0, 20));
    bytes += chunk(chunk_type::events, events(0, 20, 5));
    bytes += chunk(chunk_type::end, "records=45\nlost=0\n");
    return bytes;
}

std::uint64_t visit_all(const trace_file& file) {
    std::uint64_t visited = 0;
    file.for_each([&](const recorded_event& e) { visited += file.fields(e).size() <= max_fields; });
    return visited;
}

}  // namespace

TEST_CASE("a file gives back what was written, merged by time") {
    const auto file = trace_file::parse(small_trace());
    REQUIRE(file);
    CHECK(file->complete);
    CHECK(file->records == 45);
    CHECK(file->meta("command") == "a b");
    CHECK(file->task_names.at(5) == "five");
    std::uint64_t last = 0, wrong = 0, visited = 0;
    file->for_each([&](const recorded_event& e) {
        const std::uint64_t i = e.sequence;
        if (e.ticks < last || e.ticks != 1000 + i * 10 + file->emitters[e.emitter].number) ++wrong;
        const std::uint64_t expected =
            i % 2 == 0 ? pack<event::task_run>(i * 1'000'003, i, run_source::stolen, i)
                       : pack<event::task_suspend>(suspend_reason::timer, i, i * 77);
        if (e.payload != expected) ++wrong;
        last = e.ticks;
        ++visited;
    });
    CHECK(wrong == 0);
    CHECK(visited == 45);
    CHECK(file->to_monotonic(2000) == 500'500);
    CHECK(file->to_monotonic(500) == 499'750);
    CHECK(file->to_monotonic(5000) == 502'000);
}

TEST_CASE("every prefix of a file reads or says why it does not") {
    const std::string whole = small_trace();
    std::uint64_t best = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto file = trace_file::parse(whole.substr(0, size));
        if (!file) {
            CHECK_FALSE(file.error().empty());
            continue;
        }
        if (file->complete) FAIL("a prefix is complete at " << size);
        const std::uint64_t visited = visit_all(*file);
        CHECK(visited == file->records);
        CHECK(visited >= best);
        best = visited;
    }
    CHECK(best == 45);
}

TEST_CASE("a damaged file loses the damaged chunks and nothing else") {
    const std::string whole = small_trace();
    std::mt19937_64 random(weft::test::seed());
    for (int i = 0; i < 2000; ++i) {
        std::string bytes = whole;
        const std::uint64_t flips = 1 + random() % 3;
        for (std::uint64_t k = 0; k < flips; ++k) {
            bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
        }
        const auto file = trace_file::parse(bytes);
        if (!file) continue;
        CHECK(visit_all(*file) == file->records);
        if (bytes != whole && file->damaged_chunks == 0 && file->unread_bytes == 0) {
            CHECK(bytes.substr(0, preamble_bytes) != whole.substr(0, preamble_bytes));
        }
    }
}

TEST_CASE("a chunk that lies under a right checksum does no harm") {
    std::mt19937_64 random(weft::test::seed());
    const std::string layouts = weft::detail::encode_layouts();
    for (int i = 0; i < 2000; ++i) {
        std::string bytes = small_trace();
        const auto type = static_cast<chunk_type>(1 + random() % 9);
        std::string payload = random() % 2 == 0 ? events(3, 0, 10) : layouts;
        for (std::uint64_t k = random() % 8; k > 0; --k) {
            payload[random() % payload.size()] = static_cast<char>(random());
        }
        payload.resize(random() % (payload.size() + 1));
        bytes += chunk(type, payload);
        const auto file = trace_file::parse(bytes);
        if (file) CHECK(visit_all(*file) <= file->records);
    }
}

TEST_CASE("a chunk larger than any that is written is damage, and what follows it is read") {
    const std::string whole = small_trace();
    for (const std::size_t beyond : {std::size_t{0}, std::size_t{1}}) {
        // Of a type that is not known, and so is skipped.
        std::string bytes = whole.substr(0, preamble_bytes);
        bytes += chunk(static_cast<chunk_type>(99), std::string(max_payload_bytes + beyond, 'x'));
        bytes += whole.substr(preamble_bytes);
        const auto file = trace_file::parse(bytes);
        REQUIRE(file);
        CHECK(file->records == 45);
        CHECK(file->complete);
        CHECK(file->damaged_chunks == beyond);
        CHECK(file->unread_bytes == beyond * (chunk_head_bytes + max_payload_bytes + beyond));
    }
}

TEST_CASE("a file full of heads without chunks is read in time linear in its size") {
    // Each of them says that it reaches to the end: to check them all would take half an hour.
    constexpr std::size_t size = std::size_t{4} << 20;
    std::string heads;
    while (heads.size() < size) {
        append_fixed(heads, chunk_marker);
        append_fixed(heads, static_cast<std::uint32_t>(chunk_type::events));
        append_fixed(heads, static_cast<std::uint32_t>(size - heads.size() - 8));
        append_fixed(heads, std::uint32_t{0});
    }
    const auto file = trace_file::parse(small_trace() + heads);
    REQUIRE(file);
    CHECK(file->records == 45);
    CHECK(file->damaged_chunks > 0);
    CHECK(file->unread_bytes == heads.size());
    CHECK(visit_all(*file) == 45);
    // Of what follows, no more than the first chunk is lost.
    std::string tail;
    for (unsigned i = 0; i < 10; ++i) tail += chunk(chunk_type::events, events(2, 20 * i, 20));
    const auto longer = trace_file::parse(small_trace() + heads + tail);
    REQUIRE(longer);
    CHECK(longer->records >= 45 + 9 * 20);
}

TEST_CASE("what is no trace is told apart from a damaged one") {
    CHECK(trace_file::parse("").error() == "the file is empty");
    CHECK(trace_file::parse("hello, world, hello").error() == "not a weft trace");
    CHECK(trace_file::parse("WEFT").error() == "cut off within its first 16 bytes");
    std::string later = small_trace();
    later[8] = 9;
    CHECK(trace_file::parse(later).error().find("version 9") != std::string::npos);
    CHECK(trace_file::open("/nonexistent").error().find("/nonexistent: ") == 0);
}
