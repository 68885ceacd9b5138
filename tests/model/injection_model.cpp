// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The ways into the runtime from outside, under the model checker and with the parking protocol
// around them: the ticket count around a storage that may say "empty" while an item is inside, and
// the spill list. No item is stranded and none is taken twice. The storage stands for
// moodycamel::ConcurrentQueue, which is no template on an environment: one part for each producer,
// which a consumer scans in turn, and three counts in each part, as its author describes it (C.
// Desrochers, Detailed Design of a Lock-Free Queue, 2014).
#include <array>
#include <cstdint>
#include <optional>

#include "engine/cases.hpp"
#include "engine/small_scheduler.hpp"
#include "sched/spill_list.hpp"
#include "support/catch.hpp"
#include "weft/queue/ticket_count.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

/// What one producer pushed, with room for two. Consumers count themselves in before they know
/// whether there is an item for them, and out again if there is none.
class queue_part {
public:
    void push(std::size_t item) {
        const std::uint32_t at = pushed_.load(relaxed);
        items_[at].store(item);
        pushed_.store(at + 1, release);
    }
    std::optional<std::size_t> try_take() {
        const std::uint32_t out = came_in_vain_.load(relaxed);
        if (!is_within(came_.load(relaxed) - out)) return std::nullopt;
        if (!is_within(came_.fetch_add(1, acq_rel) - out)) {
            came_in_vain_.fetch_add(1, release);
            return std::nullopt;
        }
        return items_[taken_.fetch_add(1, acq_rel)].load();
    }

private:
    /// Counts wrap, so fewer than none is a negative difference.
    bool is_within(std::uint32_t number) {
        return static_cast<std::int32_t>(number - pushed_.load(acquire)) < 0;
    }

    std::array<env::cell<std::size_t>, 2> items_;
    env::atomic<std::uint32_t> pushed_{0};
    env::atomic<std::uint32_t> came_{0};
    env::atomic<std::uint32_t> came_in_vain_{0};
    env::atomic<std::uint32_t> taken_{0};
};

/// As injection_storage: tickets around a storage in parts. Item i is pushed into part i % 2.
class injected {
public:
    explicit injected(scenario& s) {
        s.name(tickets_, "tickets");
        s.name(parts_, "parts");
    }
    bool put(std::size_t item) {
        parts_[item % parts_.size()].push(item);
        tickets_.publish();
        return true;
    }
    std::optional<std::size_t> take(std::size_t worker) {
        if (tickets_.is_zero()) return std::nullopt;
        return tickets_.take([&](unsigned n) {
            if (n != 0) env::relax();
            looks_ = n + 1;
            return scan_from(worker);
        });
    }
    /// Of the last take().
    [[nodiscard]] unsigned looks() const { return looks_; }

private:
    std::optional<std::size_t> scan_from(std::size_t first) {
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            if (auto item = parts_[(first + i) % parts_.size()].try_take()) return item;
        }
        return std::nullopt;
    }

    weft::detail::ticket_count<env> tickets_;
    std::array<queue_part, 2> parts_;
    unsigned looks_ = 0;
};

/// Items that no queue had memory for.
class spilled {
public:
    explicit spilled(scenario& s) { s.name(list_, "list"); }
    bool put(std::size_t item) {
        list_.push(nodes_[item]);
        return true;
    }
    std::optional<std::size_t> take(std::size_t /*worker*/) {
        const node* const got = list_.pop();
        if (got == nullptr) return std::nullopt;
        return static_cast<std::size_t>(got - nodes_.data());
    }

private:
    struct node;
    /// A plain pointer, whose races are noticed.
    class link {
    public:
        link& operator=(node* to) {
            to_.store(to);
            return *this;
        }
        operator node*() const { return to_.load(); }

    private:
        env::cell<node*> to_{nullptr};
    };
    struct node {
        link next_spilled;
    };
    std::array<node, 2> nodes_;
    weft::detail::spill_list<env, node> list_;
};

template <class Source>
scenario_body one_item() {
    return [](scenario& s) {
        small_scheduler<1, 1, Source> tested(s);
        s.thread("worker", [&] { tested.work(0); });
        s.thread("producer", [&] { tested.produce(0); });
        s.finally([&] { tested.expect_quiet(); });
    };
}

/// The items end only when both run.
template <class Source>
scenario_body two_items() {
    return [](scenario& s) {
        small_scheduler<2, 2, Source> tested(s, 2);
        s.thread("first worker", [&] { tested.work(0); });
        s.thread("second worker", [&] { tested.work(1); });
        s.thread("first producer", [&] { tested.produce(0); });
        s.thread("second producer", [&] { tested.produce(1); });
        s.finally([&] { tested.expect_quiet(); });
    };
}

const registered_case one_injected({
    .structure = "injection",
    .name = "an injected item reaches a worker that is about to park",
    .kills = {mutation::park_without_fence, mutation::notify_without_fence,
              mutation::park_skip_rescan, mutation::park_rescan_before_announce},
    .limits = {.preemptions = 4, .stale_loads = 3, .exhaustive_executions = 60'000},
    .body = one_item<injected>(),
});

const registered_case two_injected({
    .structure = "injection",
    .name = "the injected items of two producers run together on two workers",
    .kills = {mutation::ticket_claimed_without_cas, mutation::last_searcher_rule},
    .limits = {.preemptions = 2,
               .stale_loads = 1,
               .random_executions = 60'000,
               .exhaustive_executions = 60'000},
    .body = two_items<injected>(),
});

/// Consumers that do not sleep: a ticket is worth an item, and an item a ticket.
const registered_case tickets({
    .structure = "injection",
    .name = "who holds a ticket gets an item, and nobody gets one twice",
    .kills = {mutation::ticket_claimed_without_cas, mutation::ticket_gives_up},
    .limits = {.preemptions = 3,
               .stale_loads = 2,
               .random_executions = 40'000,
               .exhaustive_executions = 60'000},
    .body =
        [](scenario& s) {
            injected tested(s);
            std::array<int, 2> times{};
            for (std::size_t i = 0; i < 2; ++i) {
                s.thread("producer", [&, i] { tested.put(i); });
                s.thread("consumer", [&, i] {
                    if (const auto item = tested.take(i)) ++times[*item];
                });
            }
            s.finally([&] {
                while (const auto item = tested.take(0)) ++times[*item];
                require(times[0] == 1 && times[1] == 1, "each item is taken once");
            });
        },
});

const registered_case inside({
    .structure = "injection",
    .name = "an item is inside when its ticket can be taken",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            injected tested(s);
            s.thread("producer", [&] { tested.put(0); });
            s.thread("consumer", [&] {
                if (!tested.take(0)) return;
                require(tested.looks() == 1, "nobody else looks, so the first look finds it");
            });
            s.finally([] {});
        },
});

const registered_case one_spilled({
    .structure = "spill",
    .name = "a spilled item reaches a worker that is about to park",
    .kills = {mutation::park_without_fence, mutation::notify_without_fence},
    .limits = {.preemptions = 4, .stale_loads = 3, .exhaustive_executions = 60'000},
    .body = one_item<spilled>(),
});

const registered_case two_spilled({
    .structure = "spill",
    .name = "the spilled items of two producers run together on two workers",
    .kills = {mutation::spill_pushes_unlocked, mutation::spill_pops_unlocked},
    .limits = {.preemptions = 2,
               .stale_loads = 1,
               .random_executions = 40'000,
               .exhaustive_executions = 60'000},
    .body = two_items<spilled>(),
});

}  // namespace

TEST_CASE("nothing that is injected is stranded or taken twice", "[injection]") {
    check_cases("injection");
}

TEST_CASE("nothing that is spilled is stranded or taken twice", "[injection]") {
    check_cases("spill");
}

}  // namespace weft::model
