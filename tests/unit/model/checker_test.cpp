// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The checker checked: it finds the classic faults, it passes the correct versions, and what it
// finds can be replayed. Litmus tests pin the memory model down from both sides: an outcome that
// C++ allows must turn up, one that it forbids must not.
#include "engine/check.hpp"

#include <memory>

#include "support/catch.hpp"

namespace model = weft::model;
using env = model::model_environment;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

model::options depth_first() { return {.random_executions = 0}; }
model::options depth_first_sequential() {
    return {.memory = model::memory_model::sequential, .random_executions = 0};
}
model::options random_only() { return {.random_executions = 20'000, .exhaustive_executions = 0}; }

void passes_completely(const model::result& outcome) {
    INFO(outcome.report());
    CHECK_FALSE(outcome.failed);
    CHECK(outcome.complete);
}

void fails_with(const model::result& outcome, const std::string& part) {
    INFO(outcome.report());
    CHECK(outcome.failed);
    CHECK(outcome.message.find(part) != std::string::npos);
}

/// x = 1; fence; read y  ||  y = 1; fence; read x: may both read 0?
template <class Fence, class OtherFence>
model::scenario_body store_buffering(Fence fence, OtherFence other_fence,
                                     std::memory_order store = relaxed,
                                     std::memory_order load = relaxed) {
    return [=](model::scenario& s) {
        env::atomic<int> x{0}, y{0};
        s.name(x, "x");
        s.name(y, "y");
        int seen_y = -1, seen_x = -1;
        s.thread("left", [&] {
            x.store(1, store);
            fence();
            seen_y = y.load(load);
        });
        s.thread("right", [&] {
            y.store(1, store);
            other_fence();
            seen_x = x.load(load);
        });
        s.finally([&] { model::require(seen_x + seen_y != 0, "both read 0"); });
    };
}

void no_fence() {}
void full_fence() { env::seq_cst_fence(); }
void light_fence() { env::light_fence(); }
void heavy_fence() { env::heavy_fence(); }

/// data, then flag  ||  flag, then data; the datum is a plain cell.
model::scenario_body message_passing(std::memory_order publish, std::memory_order read,
                                     bool is_fenced = false) {
    return [=](model::scenario& s) {
        env::atomic<bool> flag{false};
        env::cell<int> datum{0};
        s.name(flag, "flag");
        s.name(datum, "datum");
        s.thread("writer", [&] {
            datum.store(42);
            if (is_fenced) env::seq_cst_fence();
            flag.store(true, publish);
        });
        s.thread("reader", [&] {
            if (!flag.load(read)) return;
            if (is_fenced) env::seq_cst_fence();
            model::require(datum.load() == 42, "the datum is complete");
        });
        s.finally([] {});
    };
}

}  // namespace

TEST_CASE("store buffering shows without fences and with one fence", "[model]") {
    fails_with(model::check(depth_first(), store_buffering(no_fence, no_fence)), "both read 0");
    fails_with(model::check(depth_first(), store_buffering(full_fence, no_fence)), "both read 0");
    fails_with(model::check(random_only(), store_buffering(no_fence, no_fence)), "both read 0");
    fails_with(model::check(depth_first(), store_buffering(no_fence, no_fence, release, acquire)),
               "both read 0");
}

TEST_CASE("store buffering is excluded by fences and by seq_cst accesses", "[model]") {
    passes_completely(model::check(depth_first(), store_buffering(full_fence, full_fence)));
    passes_completely(
        model::check(depth_first(), store_buffering(no_fence, no_fence, seq_cst, seq_cst)));
}

TEST_CASE("the asymmetric pair orders light against heavy and nothing else", "[model]") {
    passes_completely(model::check(depth_first(), store_buffering(light_fence, heavy_fence)));
    passes_completely(model::check(depth_first(), store_buffering(heavy_fence, heavy_fence)));
    fails_with(model::check(depth_first(), store_buffering(light_fence, light_fence)),
               "both read 0");
    // The compiler may move an access over the place where no light fence stands.
    fails_with(model::check(depth_first(), store_buffering(no_fence, heavy_fence)), "both read 0");
    model::options symmetric = depth_first();
    symmetric.is_asymmetric = false;
    passes_completely(model::check(symmetric, store_buffering(light_fence, heavy_fence)));
}

TEST_CASE("sequential memory misses a missing fence", "[model]") {
    passes_completely(model::check(depth_first_sequential(), store_buffering(no_fence, no_fence)));
}

TEST_CASE("message passing over a relaxed flag is a race on the datum", "[model]") {
    passes_completely(model::check(depth_first(), message_passing(release, acquire)));
    fails_with(model::check(depth_first(), message_passing(relaxed, acquire)), "data race");
    fails_with(model::check(depth_first(), message_passing(release, relaxed)), "data race");
    fails_with(model::check(random_only(), message_passing(relaxed, relaxed)), "data race");
}

TEST_CASE("a fence is no happens-before edge for a cell", "[model]") {
    fails_with(model::check(depth_first(), message_passing(relaxed, relaxed, true)), "data race");
}

TEST_CASE("a read-modify-write continues a release sequence", "[model]") {
    auto body = [](bool is_update) {
        return [=](model::scenario& s) {
            env::atomic<int> word{0};
            env::cell<int> datum{0};
            s.thread("first", [&] {
                datum.store(1);
                word.store(1, release);
            });
            s.thread("second", [&] {
                int one = 1;
                if (is_update) {
                    word.compare_exchange_strong(one, 2, relaxed);
                } else if (word.load(relaxed) == 1) {
                    word.store(2, relaxed);
                }
            });
            s.thread("third", [&] {
                if (word.load(acquire) == 2) static_cast<void>(datum.load());
            });
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(true)));
    fails_with(model::check(depth_first(), body(false)), "data race");
}

TEST_CASE("loads of one location never go back", "[model]") {
    auto body = [](model::scenario& s) {
        env::atomic<int> x{0};
        s.thread("writer", [&] {
            for (int i = 1; i <= 3; ++i) x.store(i, relaxed);
        });
        s.thread("reader", [&] {
            int before = x.load(relaxed);
            for (int i = 0; i < 2; ++i) {
                int now = x.load(relaxed);
                model::require(now >= before, "coherence");
                before = now;
            }
        });
        s.finally([&] { model::require(x.load(relaxed) == 3, "the join shows everything"); });
    };
    passes_completely(model::check(depth_first(), body));
}

TEST_CASE("independent readers may disagree about the order unless all is seq_cst", "[model]") {
    auto body = [](std::memory_order store, std::memory_order load) {
        return [=](model::scenario& s) {
            env::atomic<int> x{0}, y{0};
            int seen[4] = {};
            s.thread("x", [&] { x.store(1, store); });
            s.thread("y", [&] { y.store(1, store); });
            s.thread("xy", [&] {
                seen[0] = x.load(load);
                seen[1] = y.load(load);
            });
            s.thread("yx", [&] {
                seen[2] = y.load(load);
                seen[3] = x.load(load);
            });
            s.finally([&] {
                bool disagree = seen[0] == 1 && seen[1] == 0 && seen[2] == 1 && seen[3] == 0;
                model::require(!disagree, "the readers disagree");
            });
        };
    };
    fails_with(model::check(depth_first(), body(release, acquire)), "disagree");
    passes_completely(model::check(depth_first(), body(seq_cst, seq_cst)));
}

TEST_CASE("concurrent increments are all counted", "[model]") {
    auto body = [](bool is_atomic) {
        return [=](model::scenario& s) {
            env::atomic<std::uint8_t> count{254};
            for (int i = 0; i < 2; ++i) {
                s.thread("adder", [&, is_atomic] {
                    if (is_atomic) {
                        count.fetch_add(1, relaxed);
                    } else {
                        count.store(static_cast<std::uint8_t>(count.load(relaxed) + 1), relaxed);
                    }
                });
            }
            s.finally([&] { model::require(count.load() == 0, "two steps from 254 wrap to 0"); });
        };
    };
    passes_completely(model::check(depth_first(), body(true)));
    fails_with(model::check(depth_first(), body(false)), "wrap to 0");
}

TEST_CASE("a weak exchange may fail for no reason, a strong one may not", "[model]") {
    auto body = [](bool is_weak) {
        return [=](model::scenario&) {
            env::atomic<int> word{0};
            int zero = 0;
            bool is_done = is_weak ? word.compare_exchange_weak(zero, 1, acq_rel)
                                   : word.compare_exchange_strong(zero, 1, acq_rel);
            model::require(is_done, "exchanged");
        };
    };
    passes_completely(model::check(depth_first(), body(false)));
    fails_with(model::check(depth_first(), body(true)), "exchanged");
}

TEST_CASE("a failing execution is replayed by its choice string", "[model]") {
    for (const auto& limits : {depth_first(), random_only()}) {
        auto body = store_buffering(no_fence, no_fence);
        auto found = model::check(limits, body);
        REQUIRE(found.failed);
        auto again = model::replay(limits, found.choice_string, body);
        INFO(found.report());
        CHECK(again.failed);
        CHECK(again.message == found.message);
        CHECK(again.trace == found.trace);
        CHECK(found.trace.find("store  x = 1 (relaxed)") != std::string::npos);
        CHECK(found.trace.find("left") != std::string::npos);
        CHECK(found.trace.find("stale, newest is 1") != std::string::npos);
        CHECK(found.trace.find("checker_test.cpp:") != std::string::npos);
    }
}

TEST_CASE("two searches with one seed are the same search", "[model]") {
    auto body = message_passing(relaxed, acquire);
    auto first = model::check(random_only(), body);
    auto second = model::check(random_only(), body);
    CHECK(first.executions == second.executions);
    CHECK(first.choice_string == second.choice_string);
}

TEST_CASE("choose() tries every number", "[model]") {
    unsigned seen = 0;
    auto outcome = model::check(
        depth_first(), [&](model::scenario& s) { seen |= 1U << (3 * s.choose(3) + s.choose(3)); });
    passes_completely(outcome);
    CHECK(outcome.executions == 9);
    CHECK(seen == 0x1FF);
}
