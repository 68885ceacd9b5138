// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A storm of cancellations against tasks in every kind of wait, with exact accounts. A slot has one
// task at a time, and its keeper makes the next when that has ended; each task forgives a few
// cancellations and dies of the next. What was asked of a task must be what it met: every request
// that was accepted is delivered at a wait, ends the task before its first step or at its end, is
// declined by what it was handed to, or came together with one of these. What was not asked of it,
// it does not meet. Each wait ends once.
#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <random>
#include <thread>
#include <utility>

#include "storm_waits.hpp"
#include "stress/stress_scale.hpp"
#include "support/catch.hpp"
#include "support/driven_runtime.hpp"
#include "support/runtime_case.hpp"
#include "support/runtime_checklist.hpp"
#include "support/seed.hpp"

using namespace weft;
using namespace weft::test;

namespace {

using random_source = std::minstd_rand;

random_source random_from(std::uint64_t seed) {
    return random_source{static_cast<random_source::result_type>(seed * 2 + 1)};
}

/// Of one task; its own until it is done.
struct life_record {
    bool begun = false;
    unsigned waits = 0;
    unsigned values = 0;
    unsigned cancellations = 0;
    unsigned strange = 0;  // with another reason than a request had
};

/// Of several storms. Whoever keeps a slot adds to it when a task is over.
struct storm_tally {
    std::atomic<std::uint64_t> taken{0}, refused{0};  // as cancel() said
    std::atomic<std::uint64_t> tasks{0}, waits{0}, values{0};
    std::atomic<std::uint64_t> accepted{0};  // as the tasks say
    std::atomic<std::uint64_t> delivered{0}, before{0}, at_end{0}, declined{0}, merged{0};
    std::atomic<std::uint64_t> let_through{0};
    storm_children children;
    // What must not be.
    std::atomic<std::uint64_t> lost{0}, unasked{0}, uneven{0}, wrong{0}, strange{0}, torn{0};
};

/// Where a storm finds its task. A request is granted to each wait, now and then one more, so that
/// most meet a task that waits.
class slot {
public:
    explicit slot(const storm_kind& k) : kind(&k) {}
    /// `goal`: how many requests make asked().
    void begin_round(unsigned goal) {
        const std::lock_guard guard{mutex_};
        goal_ = goal;
        asked_ = std::make_shared<gate>();
    }
    void publish(any_task t, int grants) {
        const std::lock_guard guard{mutex_};
        task_ = std::move(t);
        grants_ += grants;
    }
    void clear() {
        const std::lock_guard guard{mutex_};
        grants_ = 0;
        task_ = {};
    }
    /// Empty if none is granted.
    [[nodiscard]] any_task take_grant() {
        if (grants_ <= 0) return {};
        const std::lock_guard guard{mutex_};
        if (grants_ <= 0 || !task_) return {};
        --grants_;
        return task_;
    }
    void grant() { ++grants_; }
    void note_request() {
        const std::lock_guard guard{mutex_};
        if (goal_ > 0 && --goal_ == 0) asked_->open();
    }
    void end_patience() {
        const std::lock_guard guard{mutex_};
        goal_ = 0;
        if (asked_) asked_->open();
    }
    /// Open once enough requests were made of the task.
    [[nodiscard]] shared_gate asked() {
        const std::lock_guard guard{mutex_};
        return asked_;
    }

    const storm_kind* kind;
    std::atomic<std::uint64_t> met{0};

private:
    std::mutex mutex_;
    any_task task_;
    std::atomic<int> grants_{0};
    unsigned goal_ = 0;
    shared_gate asked_;
};

struct storm {
    storm(storm_tally& sums, std::size_t slots_each, bool with_threads) : tally(sums) {
        for (const storm_kind& k : storm_kinds) {
            if (!with_threads && !k.is_driven) continue;
            for (std::size_t i = 0; i < slots_each; ++i) slots.push_back(std::make_unique<slot>(k));
        }
    }
    std::vector<std::unique_ptr<slot>> slots;
    storm_tally& tally;
    std::atomic<bool> enough{false};

    void stop() {
        enough = true;
        for (const std::unique_ptr<slot>& each : slots) each->end_patience();
    }

    /// One request to the first slot that grants one, from a random one on. False if none does.
    bool ask(random_source& random) {
        const std::size_t from = random() % slots.size();
        for (std::size_t i = 0; i < slots.size(); ++i) {
            slot& each = *slots[(from + i) % slots.size()];
            const any_task target = each.take_grant();
            if (!target) continue;
            ++(target.cancel(storm_reason) ? tally.taken : tally.refused);
            each.note_request();
            return true;
        }
        return false;
    }
};

coro<> target(slot& place, storm_wait& wait, life_record& life, unsigned forgives) {
    life.begun = true;
    for (;;) {
        ++life.waits;
        place.grant();
        try {
            co_await wait.wait();
            ++life.values;
            co_return;
        } catch (const cancelled& c) {
            ++life.cancellations;
            if (!wait.explains(c.reason())) ++life.strange;
            if (life.cancellations > forgives) throw;
        }
    }
}

/// Ends the wait: soon, or once a request was made. A gate that stop() does not find is one that
/// sees that it is enough.
coro<> opener(storm& s, slot& place, storm_wait& wait, unsigned pause, bool is_patient) {
    for (; pause > 0; --pause) co_await yield();
    const shared_gate asked = place.asked();
    if (is_patient && !s.enough) co_await *asked;
    wait.open();
}

void account(storm& s, slot& place, const task<>& t, const life_record& life,
             const storm_wait& wait) {
    storm_tally& all = s.tally;
    const std::uint64_t asked = t.cancelling();
    const bool before = !life.begun;
    const bool at_end = t.cancelled() && life.values > 0;
    const std::uint64_t met =
        life.cancellations + wait.declined() + (before ? 1u : 0u) + (at_end ? 1u : 0u);
    ++all.tasks;
    all.waits += life.waits;
    all.values += life.values;
    all.accepted += asked;
    all.delivered += life.cancellations;
    all.before += before ? 1u : 0u;
    all.at_end += at_end ? 1u : 0u;
    all.declined += wait.declined();
    all.merged += asked > met ? asked - met : 0;
    all.let_through += met > asked ? met - asked : 0;
    place.met += met;
    if (asked > 0 && met == 0) ++all.lost;
    if (met > asked + wait.let_through()) ++all.unasked;
    if (life.waits != life.values + life.cancellations || life.values > 1) ++all.uneven;
    if (!t.cancelled() && (life.values != 1 || t.exception() != nullptr)) ++all.wrong;
    all.strange += life.strange;
    if (!wait.is_whole()) ++all.torn;
}

/// Waits in every second round before the one that ends the wait exists: that one may find the task
/// running in the place of this.
coro<> one_round(storm& s, slot& place, const storm_ground& ground, random_source& random) {
    const std::unique_ptr<storm_wait> wait = place.kind->make(ground);
    life_record life;
    const auto grants = static_cast<int>(random() % 4 / 3);
    const auto forgives = static_cast<unsigned>(random() % 4);
    const auto goal = place.kind->declines ? 1 : static_cast<unsigned>(1 + random() % 4);
    const auto pause = static_cast<unsigned>(random() % 12);
    const bool is_patient = random() % 4 != 0;
    const bool opener_first = random() % 2 == 0;
    place.begin_round(goal);
    task<> opening;
    if (opener_first) opening = create_task(opener(s, place, *wait, pause, is_patient));
    task<> t = create_task(target(place, *wait, life, forgives));
    place.publish(t, grants);
    if (!opener_first) opening = create_task(opener(s, place, *wait, pause, is_patient));
    try {
        co_await t;
    } catch (const cancelled&) {
        place.end_patience();  // it lives no longer
    }
    place.clear();
    co_await opening;
    account(s, place, t, life, *wait);
}

coro<> keeper(storm& s, slot& place, storm_ground ground, std::uint64_t seed) {
    random_source random = random_from(seed);
    while (!s.enough) co_await one_round(s, place, ground, random);
}

coro<> keepers(storm& s, std::uint64_t seed) {
    const storm_ground ground{s.tally.children, strand{}};
    std::vector<task<>> all;
    for (const std::unique_ptr<slot>& each : s.slots) {
        all.push_back(create_task(keeper(s, *each, ground, seed++)));
    }
    for (task<>& each : all) co_await each;
}

void check(const storm_tally& all, std::uint64_t requests) {
    CHECK(all.taken + all.refused == requests);
    CHECK(all.accepted == all.taken);
    CHECK(all.delivered + all.before + all.at_end + all.declined + all.merged ==
          all.accepted + all.let_through);
    CHECK(all.lost == 0);
    CHECK(all.unasked == 0);
    CHECK(all.uneven == 0);
    CHECK(all.wrong == 0);
    CHECK(all.strange == 0);
    CHECK(all.torn == 0);
    CHECK(all.waits == all.values + all.delivered);
    CHECK(all.children.begun == all.children.ended);
}

void print(const storm_tally& all, const std::string& where) {
    const std::pair<const char*, const std::atomic<std::uint64_t>*> columns[] = {
        {"accepted", &all.accepted},    {"too late", &all.refused},
        {"delivered", &all.delivered},  {"before the first step", &all.before},
        {"at the end", &all.at_end},    {"declined", &all.declined},
        {"merged", &all.merged},        {"let through by a limit", &all.let_through},
        {"tasks", &all.tasks},          {"waits", &all.waits},
        {"below", &all.children.begun}, {"lost", &all.lost},
        {"unasked", &all.unasked},      {"resumed twice", &all.uneven},
    };
    std::printf("cancellation storm, %s:", where.c_str());
    for (const auto& [name, count] : columns) {
        std::printf(" %s %llu,", name, static_cast<unsigned long long>(count->load()));
    }
    std::printf(" requests %llu\n", static_cast<unsigned long long>(all.taken + all.refused));
}

void foreign_thread(storm& s, std::uint64_t seed, std::uint64_t requests) {
    random_source random = random_from(seed);
    while (requests > 0) {
        if (!s.ask(random)) {
            std::this_thread::yield();
            continue;
        }
        --requests;
        for (auto n = random() % 64; n > 0; --n) detail::real_environment::relax();
    }
}

void blow(storm& s, unsigned workers, std::uint64_t requests) {
    constexpr std::uint64_t threads = 3;
    runtime r{{.workers = workers, .slow_run = std::chrono::nanoseconds::zero()}};
    task<> all = r.spawn(keepers(s, seed()));
    std::vector<std::thread> cancellers;
    for (std::uint64_t i = 0; i < threads; ++i) {
        const std::uint64_t share = requests / threads + (i < requests % threads ? 1 : 0);
        cancellers.emplace_back([&s, i, share] { foreign_thread(s, seed() + i, share); });
    }
    for (std::thread& each : cancellers) each.join();
    s.stop();
    r.block_on(ended(all));
    r.close();
    CHECK(outcome_of(all) == "value");
    CHECK(r.statistics().timers_armed == 0);
}

}  // namespace

// A million at a WEFT_STRESS_SCALE of 7.
TEST_CASE("a storm of cancellations from foreign threads is met request by request") {
    constexpr std::uint64_t requests = 10'000;
    const std::size_t rounds = stress_iterations(is_sanitized() ? 1 : 5);
    std::map<unsigned, storm_tally> tallies;
    for (std::size_t round = 1; round <= rounds; ++round) {
        on_workers(multi, [&tallies, round](unsigned workers) {
            storm s{tallies[workers], 3, true};
            blow(s, workers, requests);
            check(s.tally, round * requests);
            for (const std::unique_ptr<slot>& each : s.slots) {
                INFO(each->kind->name);
                CHECK(each->met > 0);
            }
        });
    }
    for (const auto& [workers, tally] : tallies) print(tally, std::to_string(workers) + " workers");
}

namespace {

coro<> asks_as_a_task(storm& s, std::uint64_t seed, std::uint64_t& requests) {
    random_source random = random_from(seed);
    while (!s.enough) {
        for (auto pause = random() % 40; pause > 0; --pause) co_await yield();
        if (s.ask(random)) ++requests;
    }
}

/// Asks as a thread that is no worker would.
bool ask_as_foreigner(storm& s, random_source& random) {
    detail::worker_port* const here = detail::this_worker();
    detail::set_this_worker(nullptr);
    const bool asked = s.ask(random);
    detail::set_this_worker(here);
    return asked;
}

std::uint64_t drive(storm& s, std::uint64_t seed, unsigned steps) {
    random_source random = random_from(seed);
    std::uint64_t requests = 0;
    driven_runtime r{1};
    task<> all = r.start(keepers(s, seed));
    r.start(asks_as_a_task(s, seed + 1, requests));
    for (; steps > 0; --steps) {
        if (random() % 8 == 0 && ask_as_foreigner(s, random)) ++requests;
        r.turn();
        r.spend(std::chrono::nanoseconds{random() % 4'000});
    }
    s.stop();
    r.run_until([&r] { return r.live_tasks() == 0; });
    CHECK(outcome_of(all) == "value");
    return requests;
}

}  // namespace

TEST_CASE("cancellations between any two steps of a seeded order are met request by request") {
    const leak_check clean;
    storm_tally sums;
    std::uint64_t requests = 0;
    const std::size_t orders = stress_iterations(is_sanitized() ? 20 : 200);
    for (std::uint64_t i = 0; i < orders; ++i) {
        INFO("WEFT_TEST_SEED=" << seed() + i);
        storm s{sums, 2, false};
        requests += drive(s, seed() + i, 5'000);
        check(sums, requests);
    }
    print(sums, std::to_string(orders) + " seeded orders");
    CHECK(sums.delivered > 0);
}
