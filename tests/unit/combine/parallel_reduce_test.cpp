// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/combine/parallel_reduce.hpp"

#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"

using namespace weft;
using namespace weft::test;

namespace {

constexpr std::size_t grains[] = {0, 1, 7, 100, 5000};

/// Concatenation is associative and not commutative.
std::string joined(std::string left, const std::string& right) { return std::move(left) + right; }

std::string text_of_range(int begin, int end) {
    std::string text;
    for (int i = begin; i < end; ++i) text += std::to_string(i) + ' ';
    return text;
}

coro<> every_form_in_order(int count) {
    const std::string wanted = "> " + text_of_range(0, count);
    std::vector<int> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0);
    auto text = [](int i) { return std::to_string(i) + ' '; };
    auto text_later = [](int i) -> coro<std::string> {
        if (i % 3 == 0) co_await yield();
        co_return std::to_string(i) + ' ';
    };
    auto chunk_text_later = [](int begin, int end) -> coro<std::string> {
        co_await yield();
        co_return text_of_range(begin, end);
    };
    auto span_text = [](std::span<const int> chunk) {
        return text_of_range(chunk.front(), chunk.back() + 1);
    };
    for (std::size_t grain : grains) {
        const parallel_options options{.grain = grain};
        std::string got = co_await parallel_reduce(0, count, "> ", text, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce(0, count, "> ", text_later, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce_chunks(0, count, "> ", text_of_range, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce_chunks(0, count, "> ", chunk_text_later, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce(values, "> ", text, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce(values, "> ", text_later, joined, options);
        CHECK(got == wanted);
        got = co_await parallel_reduce_chunks(values, "> ", span_text, joined, options);
        CHECK(got == wanted);
    }
}

coro<> common_type_of_the_values() {
    auto half = [](int i) { return i * 0.5; };
    auto sum = co_await parallel_reduce(0, 4, 0, half, std::plus<>{}, {.grain = 1});
    static_assert(std::is_same_v<decltype(sum), double>);
    CHECK(sum == 3.0);
    auto large = [](int) { return 2'000'000'000; };
    auto total = co_await parallel_reduce(0, 100, std::int64_t{0}, large, std::plus<>{});
    static_assert(std::is_same_v<decltype(total), std::int64_t>);
    CHECK(total == 200'000'000'000);
}

coro<> nothing_to_reduce() {
    auto map = [](int) -> std::string { throw std::logic_error("called"); };
    std::string none = co_await parallel_reduce(3, 3, "identity", map, joined);
    CHECK(none == "identity");
    const std::vector<int> empty;
    none = co_await parallel_reduce(empty, "identity", map, joined);
    CHECK(none == "identity");
    CHECK_THROWS_AS(parallel_reduce(3, 2, "identity", map, joined), std::invalid_argument);
}

coro<> moves_its_values() {
    using number = std::unique_ptr<int>;
    auto make = [](int i) { return std::make_unique<int>(i); };
    auto make_later = [](int i) -> coro<number> {
        co_await yield();
        co_return std::make_unique<int>(i);
    };
    auto add = [](number a, number b) {
        *a += *b;
        return a;
    };
    for (std::size_t grain : grains) {
        const parallel_options options{.grain = grain};
        auto begin = std::make_unique<int>(5);
        number sum = co_await parallel_reduce(0, 100, std::move(begin), make, add, options);
        CHECK(*sum == 4955);
        begin = std::make_unique<int>(6);
        sum = co_await parallel_reduce(0, 100, std::move(begin), make_later, add, options);
        CHECK(*sum == 4956);
    }
}

coro<> combine_gives_a_reference() {
    auto appended = [](std::string&& left, std::string&& right) -> std::string&& {
        left += right;
        return std::move(left);
    };
    auto text = [](int i) { return std::to_string(i) + ' '; };
    for (std::size_t grain : {1u, 10u, 1000u}) {
        std::string all =
            co_await parallel_reduce(0, 300, std::string{}, text, appended, {.grain = grain});
        CHECK(all == text_of_range(0, 300));
    }
}

/// Of so different sizes that every other order of additions rounds otherwise.
double term(std::uint64_t i) {
    return std::ldexp(1.0 + static_cast<double>(i * 2654435761u % 1000),
                      static_cast<int>(i * 40503 % 60));
}

/// The grouping that is promised, on one thread.
double grouped(std::uint64_t begin, std::uint64_t count, std::uint64_t grain) {
    if (count / 2 >= grain)
        return grouped(begin, count / 2, grain) +
               grouped(begin + count / 2, count - count / 2, grain);
    double sum = term(begin);
    for (std::uint64_t i = 1; i < count; ++i) sum += term(begin + i);
    return sum;
}

coro<> same_bits(std::uint64_t count, std::size_t grain) {
    double sum = co_await parallel_reduce(std::uint64_t{0}, count, 0.0, term, std::plus<>{},
                                          {.grain = grain});
    const double wanted = 0.0 + grouped(0, count, grain);
    CHECK(std::bit_cast<std::uint64_t>(sum) == std::bit_cast<std::uint64_t>(wanted));
}

coro<> error_in_map(std::vector<int>& ran, std::size_t grain) {
    std::string what;
    auto map = [&ran](int i) {
        ran.push_back(i);
        if (i >= 100) throw std::runtime_error(std::to_string(i));
        return i;
    };
    try {
        co_await parallel_reduce(0, 1000, 0, map, std::plus<>{}, {.grain = grain});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "100");
}

coro<> error_in_combine() {
    for (std::size_t grain : {1u, 10u, 5000u}) {
        std::string what;
        auto map = [](int i) { return i; };
        auto refuse = [](int, int) -> int { throw std::runtime_error("refused"); };
        try {
            co_await parallel_reduce(0, 1000, 0, map, refuse, {.grain = grain});
        } catch (const std::runtime_error& e) {
            what = e.what();
        }
        CHECK(what == "refused");
    }
}

coro<> errors_while_others_wait() {
    std::atomic<int> inside{0};
    std::string what;
    auto map = [&inside](int i) -> coro<std::string> {
        ++inside;
        scope_exit leave{[&] { --inside; }};
        co_await yield();
        if (i % 10 == 3) throw std::runtime_error("a three");
        if (i % 10 == 4) co_await sleep(far);
        co_return "";
    };
    stopwatch clock;
    try {
        co_await parallel_reduce(0, 100, "", map, joined, {.grain = 1});
    } catch (const std::runtime_error& e) {
        what = e.what();
    }
    CHECK(what == "a three");
    CHECK(inside == 0);
    CHECK(clock.elapsed() < soon);
}

coro<> cancels_itself(std::atomic<int>& ran) {
    auto map = [&ran](int i) {
        ++ran;
        if (i == 100) current_task().cancel("enough");
        return i;
    };
    co_await parallel_reduce(0, 1000, 0, map, std::plus<>{}, {.grain = 1});
}

coro<> cancelled_between_chunks() {
    std::atomic<int> ran{0};
    task<> t = create_task(cancels_itself(ran));
    co_await ended(t);
    CHECK(t.cancelled());
    CHECK(ran == 101);
}

coro<> waits_in_map(gate& g) {
    auto map = [&g](int i) -> coro<int> {
        co_await pass(g);
        co_return i;
    };
    co_await parallel_reduce(0, 5, 0, map, std::plus<>{}, {.grain = 1});
}

}  // namespace

TEST_CASE("parallel_reduce combines in the order of the items, in every form") {
    on_workers(multi, [](unsigned workers) {
        run(every_form_in_order(1), {.workers = workers});
        run(every_form_in_order(1013), {.workers = workers});
    });
}

TEST_CASE("parallel_reduce gives the common type of identity and values") {
    run(common_type_of_the_values(), {.workers = 1});
}

TEST_CASE("parallel_reduce over nothing gives the identity") {
    run(nothing_to_reduce(), {.workers = 1});
}

TEST_CASE("parallel_reduce moves its values") {
    on_workers(multi, [](unsigned workers) {
        run(moves_its_values(), {.workers = workers});
        run(combine_gives_a_reference(), {.workers = workers});
    });
}

TEST_CASE("parallel_reduce with a grain gives the same bits on any number of workers") {
    on_workers(multi, [](unsigned workers) {
        for (std::size_t grain : {1u, 13u, 64u, 1000u, 100'000u})
            run(same_bits(30'011, grain), {.workers = workers});
    });
}

TEST_CASE("parallel_reduce throws the first error and begins no chunk after it") {
    on_workers(single, [](unsigned workers) {
        for (std::size_t grain : {1u, 3u, 1000u}) {
            std::vector<int> ran;
            run(error_in_map(ran, grain), {.workers = workers});
            CHECK(ran.size() == 101);
        }
    });
}

TEST_CASE("parallel_reduce joins every chunk before it throws") {
    on_workers(multi, [](unsigned workers) {
        run(error_in_combine(), {.workers = workers});
        run(errors_while_others_wait(), {.workers = workers});
    });
}

TEST_CASE("parallel_reduce hears of a cancellation between two chunks") {
    on_workers(single,
               [](unsigned workers) { run(cancelled_between_chunks(), {.workers = workers}); });
}

TEST_CASE("parallel_reduce passes the checklist of waiting") { check_waiting(&waits_in_map); }
