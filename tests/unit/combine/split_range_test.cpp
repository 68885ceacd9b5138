// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/split_range.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "weft/combine/parallel_for.hpp"
#include "weft/task/frame_pool.hpp"

using namespace weft;
using namespace weft::test;

namespace {

bool all_equal(const std::vector<std::atomic<int>>& counts, int wanted) {
    return std::ranges::all_of(counts, [=](const auto& count) { return count == wanted; });
}

template <class Index>
coro<> covers(Index first, Index last, std::size_t grain, std::size_t chunks_wanted) {
    std::mutex mutex;
    std::vector<std::pair<Index, Index>> chunks;
    co_await parallel_for_chunks(first, last,
                                 [&](Index begin, Index end) {
                                     std::lock_guard guard{mutex};
                                     chunks.emplace_back(begin, end);
                                 },
                                 {.grain = grain});
    std::ranges::sort(chunks);
    REQUIRE(chunks.size() == chunks_wanted);
    CHECK(chunks.front().first == first);
    CHECK(chunks.back().second == last);
    bool connected = true;
    bool sized = true;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const auto [begin, end] = chunks[i];
        connected = connected && (i == 0 || chunks[i - 1].second == begin);
        const auto size = static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin);
        sized = sized && begin < end && size >= grain && size / 2 < grain;
    }
    CHECK(connected);
    CHECK(sized);
}

template <class Index>
coro<> counts_near_the_limits() {
    using limits = std::numeric_limits<Index>;
    std::vector<std::atomic<int>> seen(5);
    const auto last = limits::max();
    const auto first = static_cast<Index>(last - 5);
    auto add_from_above = [&](Index i) { ++seen.at(static_cast<std::size_t>(last - i - 1)); };
    co_await parallel_for(first, last, add_from_above, {.grain = 1});
    CHECK(all_equal(seen, 1));
    const auto lowest = limits::min();
    const auto end = static_cast<Index>(lowest + 5);
    auto add_from_below = [&](Index i) { ++seen.at(static_cast<std::size_t>(i - lowest)); };
    co_await parallel_for(lowest, end, add_from_below, {.grain = 1});
    CHECK(all_equal(seen, 2));
}

template <class Index>
coro<> whole_type(std::size_t grain, std::size_t chunks) {
    using limits = std::numeric_limits<Index>;
    co_await covers<Index>(limits::min(), limits::max(), grain, chunks);
}

coro<> limits_of_the_types() {
    co_await whole_type<std::int64_t>(std::size_t{1} << 58, 63);  // 2^64 - 1 items
    co_await whole_type<std::uint64_t>(std::size_t{1} << 58, 63);
    co_await whole_type<std::uint64_t>(std::numeric_limits<std::size_t>::max() / 2, 2);
    co_await covers<std::uint64_t>(0, 100, 100, 1);
    co_await whole_type<int>(std::size_t{1} << 28, 15);
    co_await whole_type<std::int8_t>(16, 15);
    co_await whole_type<unsigned short>(100, 512);
    co_await counts_near_the_limits<std::int8_t>();
    co_await counts_near_the_limits<std::uint8_t>();
    co_await counts_near_the_limits<int>();
    co_await counts_near_the_limits<std::int64_t>();
    co_await counts_near_the_limits<std::uint64_t>();
    co_await covers<int>(-100, 901, 3, 256);
    co_await covers<long>(5, 6, 1, 1);
}

coro<> misuse(bool& called) {
    auto body = [&called](auto) { called = true; };
    CHECK_THROWS_AS(parallel_for(1, 0, body), std::invalid_argument);
    CHECK_THROWS_AS(parallel_for(-1, 10u, body), std::invalid_argument);
    CHECK_THROWS_AS(parallel_for(0u, -1, body), std::invalid_argument);
    CHECK_THROWS_AS(parallel_for(1, std::numeric_limits<int>::min(), body), std::invalid_argument);
    co_return;
}

coro<> sets(bool& flag) {
    flag = true;
    co_return;
}

coro<> nothing_to_do(bool& called) {
    bool other_ran = false;
    task<> other = create_task(sets(other_ran));
    auto body = [&called](auto) { called = true; };
    const std::vector<int> none;
    co_await parallel_for(7, 7, body);
    co_await parallel_for(std::numeric_limits<std::uint64_t>::max(),
                          std::numeric_limits<std::uint64_t>::max(), body, {.grain = 1});
    co_await parallel_for(none, body);
    co_await parallel_for_chunks(none, body);
    CHECK(!other_ran);  // it did not suspend
    co_await other;
}

coro<std::size_t> chunks_of(std::size_t items) {
    std::atomic<std::size_t> chunks{0};
    co_await parallel_for_chunks(0, items, [&](std::size_t, std::size_t) { ++chunks; });
    co_return chunks.load();
}

/// More blocks than now, at most, while the items are walked.
coro<std::int64_t> blocks_while_running(int items) {
    const std::int64_t before = detail::live_blocks();
    std::atomic<std::int64_t> most{0};
    auto body = [&](int i) {
        if (i % 1009 == 0) most = std::max(most.load(), detail::live_blocks() - before);
    };
    co_await parallel_for(0, items, body, {.grain = 1});
    co_return most.load();
}

}  // namespace

TEST_CASE("parallel_for cuts ranges up to the limits of their type") {
    on_workers(multi, [](unsigned workers) { run(limits_of_the_types(), {.workers = workers}); });
}

TEST_CASE("parallel_for refuses ranges that end before they begin") {
    bool called = false;
    run(misuse(called), {.workers = 1});
    CHECK(!called);
}

TEST_CASE("parallel_for over nothing completes at once") {
    bool called = false;
    run(nothing_to_do(called), {.workers = 1});
    CHECK(!called);
}

TEST_CASE("parallel_for chooses 16 to 32 chunks a worker") {
    on_workers(multi, [](unsigned workers) {
        for (std::size_t items :
             {std::size_t{63} * workers, std::size_t{100'000}, std::size_t{1} << 50}) {
            const std::size_t chunks = run(chunks_of(items), {.workers = workers});
            CHECK(chunks >= 16 * workers);
            CHECK(chunks <= 32 * workers);
        }
        CHECK(run(chunks_of(5), {.workers = workers}) == 5);
    });
}

TEST_CASE("parallel_for needs memory for the depth of the cuts only") {
    on_workers(single, [](unsigned workers) {
        const std::int64_t few = run(blocks_while_running(1 << 6), {.workers = workers});
        const std::int64_t many = run(blocks_while_running(1 << 18), {.workers = workers});
        CHECK(many - few <= 2 * 12);
    });
}
