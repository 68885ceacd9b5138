// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Tasks that await tasks, nested, mixed with joins and limits, and cancelled from outside at any
// moment: each ends once, as what it should, and none is left.

#include <atomic>
#include <chrono>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using dice = std::minstd_rand;

struct tally {
    std::atomic<long> begun{0};
    std::atomic<long> ended{0};
};

class presence {
public:
    explicit presence(tally& all) : all_(all) { all_.begun.fetch_add(1); }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() { all_.ended.fetch_add(1); }

private:
    tally& all_;
};

coro<int> innermost(unsigned kind) {
    if (kind % 5 == 1) co_await yield();
    if (kind % 5 == 2) co_await sleep(std::chrono::microseconds{kind % 40});
    if (kind % 5 == 3) {
        co_await yield();
        co_await yield();
    }
    if (kind % 31 == 4) throw std::runtime_error("innermost");
    co_return 1;
}

coro<int> nests(tally& all, int depth, std::uint32_t random) {
    const presence here(all);
    dice next{random};
    const auto kind = static_cast<unsigned>(next());
    if (depth == 0) {
        int value = co_await innermost(kind);
        co_return value;
    }
    const auto below = static_cast<std::uint32_t>(next());
    int value = 0;
    switch (kind % 8) {
        case 0: {
            auto [left, right] =
                co_await when_all(nests(all, depth - 1, below), nests(all, depth - 1, below / 2));
            value = left + right;
            break;
        }
        case 1: {
            task<int> first = create_task(nests(all, depth - 1, below));
            task<int> second = create_task(nests(all, depth - 1, below / 3));
            value = co_await first;
            int more = co_await second;
            value += more;
            break;
        }
        case 2:
            value = co_await with_timeout(std::chrono::seconds{60}, nests(all, depth - 1, below));
            break;
        default:
            value = co_await create_task(nests(all, depth - 1, below));
            break;
    }
    co_return value + 1;
}

coro<> rest_of_it() {
    while (all_tasks().size() > 1) co_await yield();
}

/// By the id of a task: whether a request to it was accepted, whether it gave a value.
struct accounts {
    explicit accounts(std::size_t tasks) : asked(tasks), gave_value(tasks) {}
    std::vector<std::atomic<bool>> asked;
    std::vector<std::atomic<bool>> gave_value;
    std::uint64_t first_id = 0;
    std::atomic<int> creators{0};

    static void mark(std::vector<std::atomic<bool>>& which, std::uint64_t index) {
        if (index < which.size()) which[index] = true;
    }
};

coro<std::uint64_t> own_id() { co_return current_task().id(); }

coro<> awaits_ids(accounts& books, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        try {
            std::uint64_t id = co_await create_task(own_id());
            accounts::mark(books.gave_value, id - books.first_id);
        } catch (const cancelled&) {
        }
        if (i % 8 == 0) co_await yield();
    }
    books.creators.fetch_sub(1);
}

/// Cancels whatever it finds, but for those that create, until `most` have accepted: each of these
/// throws, for which AddressSanitizer goes through all that its fake stack ever held.
coro<> cancels_all(accounts& books, std::size_t most) {
    std::size_t accepted = 0;
    while (books.creators != 0 && accepted < most) {
        for (const any_task& found : all_tasks()) {
            const bool is_one = std::string_view(found.location().function_name()).find("own_id") !=
                                std::string_view::npos;
            if (!is_one || !found.cancel()) continue;
            accounts::mark(books.asked, found.id() - books.first_id);
            ++accepted;
        }
        co_await yield();
    }
}

}  // namespace

TEST_CASE("stress: a task that accepts a request gives no value", "[stress][await]") {
    on_workers({2, 4}, [](unsigned workers) {
        const std::size_t each = stress_iterations(40'000);
        accounts books(std::size_t{16} * each);
        runtime r{{.workers = workers}};
        std::vector<task<>> all;
        books.first_id = r.block_on(own_id());
        books.creators = 3;
        for (int i = 0; i < 3; ++i) all.push_back(r.spawn(awaits_ids(books, each)));
        all.push_back(r.spawn(cancels_all(books, is_sanitized() ? each / 8 : 3 * each)));
        for (task<>& one : all) r.block_on(ended(one));
        std::size_t asked = 0;
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < books.asked.size(); ++i) {
            asked += books.asked[i] ? 1 : 0;
            wrong += books.asked[i] && books.gave_value[i] ? 1 : 0;
        }
        INFO(asked << " requests were accepted");
        CHECK(wrong == 0);
        CHECK(asked != 0);
    });
}

TEST_CASE("stress: nested awaits are cancelled from outside", "[stress][await]") {
    on_workers(multi, [](unsigned workers) {
        tally all;
        runtime r{{.workers = workers}};
        r.set_failure_handler([](const failure&) {});  // siblings of a first failure
        dice random{static_cast<std::uint32_t>(seed() % 1'000'000 + 1)};
        long cancelled_ones = 0;
        long others = 0;
        for (std::size_t i = 0; i < stress_iterations(1'500); ++i) {
            task<int> root = r.spawn(nests(all, 12, static_cast<std::uint32_t>(random())));
            for (auto wait = random() % 4'000; wait > 0; --wait) detail::real_environment::relax();
            const bool accepted = random() % 4 != 0 && root.cancel();
            r.block_on(ended(root));
            const std::string outcome = outcome_of(root);
            if (!accepted) CHECK(outcome != "cancelled");
            (outcome == "cancelled" ? cancelled_ones : others) += 1;
        }
        r.block_on(rest_of_it());
        CHECK(all.begun.load() == all.ended.load());
        CHECK(cancelled_ones != 0);
        CHECK(others != 0);
    });
}
