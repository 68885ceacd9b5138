// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Contexts that many tasks want at the same time, on all workers, while another thread reads them
// and copies the values of the tasks: one is in a context at a time, nothing that was set in it is
// lost, and no value is left in the end.

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "stress_scale.hpp"
#include "support/catch.hpp"
#include "weft/weft.hpp"

namespace {

std::atomic<std::int64_t> alive{0};
std::atomic<std::uint64_t> wrong{0};

/// Counts itself.
struct counted {
    explicit counted(std::int64_t what) : value(what) { ++alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --alive; }
    std::int64_t value;
};

const weft::task_local<std::shared_ptr<const counted>> shared{nullptr};
const weft::task_local<std::int64_t> visits{0};

void expect(bool is_so) {
    if (!is_so) ++wrong;
}

/// Adds one to what is there: in a context, of which only one may be inside.
weft::coro<> visit(bool suspends) {
    const std::int64_t before = visits.get();
    if (suspends) co_await weft::yield();
    visits.set(before + 1);
    shared.set(std::make_shared<const counted>(before + 1));
    if (suspends) co_await weft::yield();
    expect(visits.get() == before + 1 && shared.get()->value == before + 1);
}

/// Both values change together.
void expect_whole(const weft::context& of) {
    const weft::context seen = of.copy();
    const auto held = seen.get(shared);
    expect(seen.get(visits).value_or(0) == (held ? (*held)->value : 0));
}

weft::coro<> visits_all(std::vector<weft::context>* contexts, std::atomic<std::int64_t>* made,
                        int rounds) {
    visits.set(-1);
    for (int i = 0; i < rounds; ++i) {
        const weft::context& next = (*contexts)[static_cast<std::size_t>(i) % contexts->size()];
        try {
            if (i % 3 == 0)
                co_await next.run(visit(i % 2 == 0));
            else
                co_await weft::create_task(next.run(visit(i % 2 == 0)));
            ++*made;
        } catch (const weft::usage_error&) {
            expect_whole(next);  // somebody else is in it
        }
        expect(visits.get() == -1);
        if (i % 4 == 0) co_await weft::yield();
    }
}

/// Sets both values again and again, for others to copy.
weft::coro<> is_copied(const std::atomic<bool>* over) {
    for (std::int64_t i = 0; !*over; ++i) {
        shared.set(std::make_shared<const counted>(i));
        co_await weft::yield();
    }
}

/// From a thread that is no worker.
void look(const std::vector<weft::context>& contexts, const weft::any_task& busy,
          const std::atomic<bool>& over) {
    std::int64_t last = -1;
    while (!over) {
        for (const weft::context& c : contexts) expect_whole(c);
        if (const auto held = weft::copy_context(busy).get(shared)) {
            expect((*held)->value >= last);
            last = (*held)->value;
        }
        std::this_thread::yield();
    }
}

weft::coro<> waits_for(std::vector<weft::task<>>* tasks) {
    for (weft::task<>& t : *tasks) co_await t;
}

weft::coro<> waits_for_one(weft::task<> t) { co_await t; }

/// How many visits there have been, by what the contexts say.
std::int64_t counted_visits(const std::vector<weft::context>& contexts) {
    std::int64_t sum = 0;
    for (const weft::context& c : contexts) sum += c.get(visits).value_or(0);
    return sum;
}

void race(unsigned workers) {
    std::vector<weft::context> contexts(3);
    std::atomic<std::int64_t> made{0};
    std::atomic<bool> over{false};
    weft::runtime r{{.workers = workers}};
    const auto rounds = static_cast<int>(weft::test::stress_iterations(2000));
    weft::task<> busy = r.spawn(is_copied(&over));
    std::vector<weft::task<>> tasks;
    tasks.reserve(8);
    for (int i = 0; i < 8; ++i) tasks.push_back(r.spawn(visits_all(&contexts, &made, rounds)));
    std::thread other{[&] { look(contexts, busy, over); }};
    r.block_on(waits_for(&tasks));
    over = true;
    other.join();
    r.block_on(waits_for_one(busy));
    CHECK(counted_visits(contexts) == made);
    CHECK(made > 0);
}

}  // namespace

TEST_CASE("one task at a time is in a context, and nothing that it has set is lost") {
    for (unsigned workers : {1u, 2u, 4u}) {
        race(workers);
        CHECK(wrong == 0);
        CHECK(alive == 0);
    }
}
