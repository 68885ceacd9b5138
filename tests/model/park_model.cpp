// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The parker and the idle set under the model checker. The parker alone: no token is lost, whatever
// deadline or spurious return comes in between. Both together in engine/small_scheduler.hpp, where
// a lost wake-up is a deadlock.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "engine/cases.hpp"
#include "engine/small_scheduler.hpp"
#include "support/catch.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"
#include "weft/queue/thief_turn.hpp"
#include "weft/queue/work_deque.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::park_result;
using weft::detail::unpark_result;
using parker = weft::detail::parker<env>;
using idle_set = weft::detail::idle_set<env>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto forever = std::chrono::steady_clock::time_point::max();

const registered_case token({
    .structure = "park",
    .name = "an unpark before, while or after parking is consumed once and carries its edge",
    .kills = {mutation::parker_parks_over_token, mutation::parker_wakes_first,
              mutation::parker_token_only_if_parked},
    .limits = {.preemptions = 4, .spurious_wakes = 2},
    .body =
        [](scenario& s) {
            parker tested;
            env::cell<int> datum{0};
            s.name(tested, "parker");
            s.thread("sleeper", [&] {
                require(tested.park_futex(forever) == park_result::notified, "only by a token");
                require(datum.load() == 1, "what the waker did is visible");
                require(!tested.clear_token(), "the token is consumed");
            });
            s.thread("waker", [&] {
                datum.store(1);
                static_cast<void>(tested.unpark());
            });
            s.finally([] {});
        },
});

const registered_case deadline({
    .structure = "park",
    .name = "a deadline that passes leaves the token for the next park",
    .kills = {mutation::parker_parks_over_token, mutation::parker_token_only_if_parked},
    .limits = {.preemptions = 4, .early_timeouts = 1},
    .body =
        [](scenario& s) {
            parker tested;
            s.name(tested, "parker");
            s.thread("sleeper", [&] {
                auto limit = env::now() + std::chrono::milliseconds(1);
                if (tested.park_futex(limit) == park_result::notified) return;
                require(env::now() >= limit, "not before its deadline");
                require(tested.park_futex(forever) == park_result::notified, "the token is kept");
            });
            s.thread("waker", [&] { static_cast<void>(tested.unpark()); });
            s.finally([] {});
        },
});

const registered_case polling({
    .structure = "park",
    .name = "a worker in its poller is woken through the descriptor, once per token",
    .kills = {mutation::parker_parks_over_token, mutation::parker_token_only_if_parked},
    .limits = {.preemptions = 4, .spurious_wakes = 2},
    .body =
        [](scenario& s) {
            parker tested;
            env::atomic<std::uint32_t> descriptor{0};  // a wake descriptor: counts, wakes the poll
            s.name(tested, "parker");
            s.name(descriptor, "descriptor");
            s.thread("sleeper", [&] {
                bool is_notified = false;
                while (!is_notified) {
                    if (!tested.prepare_poll()) break;
                    env::futex_wait(descriptor, 0, forever);  // may return for another reason
                    descriptor.exchange(0, acquire);
                    is_notified = tested.finish_poll();
                }
                require(!tested.clear_token(), "the token is consumed");
            });
            s.thread("waker", [&] {
                if (tested.unpark() != unpark_result::must_wake_poll) return;
                descriptor.store(1, release);
                env::futex_wake(descriptor, 1);
            });
            s.finally([] {});
        },
});

/// Two wakers, two phases: tokens do not add up, the second is not swallowed by the first.
const registered_case two_wakers({
    .structure = "park",
    .name = "two wakers leave one or two tokens and never none",
    .kills = {mutation::parker_parks_over_token},
    .limits = {.preemptions = 3},
    .body =
        [](scenario& s) {
            parker tested;
            env::atomic<int> published{0};
            s.name(tested, "parker");
            s.name(published, "published");
            s.thread("sleeper", [&] {
                while (published.load(acquire) != 2) {
                    require(tested.park_futex(forever) == park_result::notified, "by a token");
                }
            });
            for (int i = 0; i < 2; ++i) {
                s.thread("waker", [&] {
                    published.fetch_add(1, acq_rel);
                    static_cast<void>(tested.unpark());
                });
            }
            s.finally([] {});
        },
});

/// Items that producers raise with a plain store, so nothing but the idle set's own fences orders
/// them against the sleepers.
template <std::size_t Items>
class flags {
public:
    explicit flags(scenario& s) { s.name(raised_, "items"); }
    /// Returns whether a worker is to be called.
    bool put(std::size_t item) {
        raised_[item].store(1, release);
        return true;
    }
    std::optional<std::size_t> take(std::size_t /*worker*/) {
        for (std::size_t i = 0; i < Items; ++i) {
            std::uint32_t one = 1;
            if (raised_[i].load(relaxed) == 1 &&
                raised_[i].compare_exchange_strong(one, 2, acquire))
                return i;
        }
        return std::nullopt;
    }

private:
    std::array<env::atomic<std::uint32_t>, Items> raised_;
};

using fork_deque = weft::detail::work_deque<env, int>;

/// Forks of several homes, each in a deque of its own, whose thieves take turns. A home calls
/// nobody for what lies over something older.
template <std::size_t Homes, std::size_t Items>
class forks {
public:
    explicit forks(scenario& s) {
        s.name(deques_, "forks");
        s.name(turn_, "turn");
    }
    bool put(std::size_t item) {
        const auto it = [&](std::int64_t, auto put) { put(&numbers_[item]); };
        return owner_of(item).try_push_all(1, it) == weft::detail::push_result::alone;
    }
    /// By its home; the only one there.
    bool take_back(std::size_t item) { return owner_of(item).pop() != nullptr; }
    /// From the last home on.
    std::optional<std::size_t> take(std::size_t worker) {
        refused_[worker] = false;
        for (std::size_t home = Homes; home-- > 0;) {
            const auto got = deques_[home].thief().steal(turn_);
            if (got) return number_of(got.item);
            if (got.outcome == weft::detail::steal_outcome::not_in_turn) refused_[worker] = true;
        }
        return std::nullopt;
    }
    std::optional<std::size_t> take_past_turn(std::size_t /*worker*/) {
        for (std::size_t home = Homes; home-- > 0;) {
            if (const auto got = deques_[home].thief().steal()) return number_of(got.item);
        }
        return std::nullopt;
    }
    bool try_take_turn() { return turn_.try_take(); }
    bool was_refused(std::size_t worker) const { return refused_[worker]; }
    bool has_any() const {
        return std::ranges::any_of(deques_, [](const auto& each) { return !each.is_empty(); });
    }

private:
    static constexpr std::size_t most_workers = 4;
    fork_deque::owner_handle& owner_of(std::size_t item) { return owners_[item % Homes]; }
    std::size_t number_of(const int* item) const {
        return static_cast<std::size_t>(item - numbers_.data());
    }

    std::array<int, Items> numbers_{};
    using indices = std::make_index_sequence<Homes>;
    std::array<fork_deque, Homes> deques_ = []<std::size_t... I>(std::index_sequence<I...>) {
        constexpr std::size_t capacity = 4;
        return std::array<fork_deque, Homes>{fork_deque((static_cast<void>(I), capacity))...};
    }(indices{});
    std::array<fork_deque::owner_handle, Homes> owners_ =
        [this]<std::size_t... I>(std::index_sequence<I...>) {
            return std::array{deques_[I].owner()...};
        }(indices{});
    weft::detail::thief_turn<env> turn_;
    std::array<bool, most_workers> refused_{};
};

const registered_case one_each({
    .structure = "park",
    .name = "one worker finds the item of one producer",
    .kills = {mutation::park_without_fence, mutation::notify_without_fence,
              mutation::park_skip_rescan, mutation::park_rescan_before_announce},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            small_scheduler<1, 1, flags<1>> tested(s);
            s.thread("worker", [&] { tested.work(0); });
            s.thread("producer", [&] { tested.produce(0); });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case both_needed({
    .structure = "park",
    .name = "two items of one producer that must run together reach two workers",
    .kills = {mutation::last_searcher_rule, mutation::idle_counts_by_store},
    .limits = {.preemptions = 2, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            small_scheduler<2, 2, flags<2>> tested(s, 2);
            s.thread("first worker", [&] { tested.work(0); });
            s.thread("second worker", [&] { tested.work(1); });
            s.thread("producer", [&] {
                tested.produce(0);
                tested.produce(1);
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case two_producers({
    .structure = "park",
    .name = "the items of two producers reach one worker",
    .kills = {mutation::idle_undo_without_recheck, mutation::idle_undo_without_fence,
              mutation::idle_claims_twice, mutation::park_without_fence},
    .limits = {.preemptions = 2, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            small_scheduler<1, 2, flags<2>> tested(s);
            s.thread("worker", [&] { tested.work(0); });
            s.thread("first producer", [&] { tested.produce(0); });
            s.thread("second producer", [&] { tested.produce(1); });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case crowd({
    .structure = "park",
    .name = "two producers' items that must run together reach two of two workers",
    .kills = {mutation::last_searcher_rule},
    .limits = {.preemptions = 2, .stale_loads = 1, .random_executions = 60'000},
    .body =
        [](scenario& s) {
            small_scheduler<2, 2, flags<2>> tested(s, 2);
            s.thread("first worker", [&] { tested.work(0); });
            s.thread("second worker", [&] { tested.work(1); });
            s.thread("first producer", [&] { tested.produce(0); });
            s.thread("second producer", [&] { tested.produce(1); });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case offered({
    .structure = "park",
    .name = "what a worker offers reaches another one, if not at once then when it asks again",
    .kills = {mutation::call_nobody, mutation::park_skip_rescan},
    .limits = {.preemptions = 3, .stale_loads = 2, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            small_scheduler<1, 1, flags<1>> tested(s);
            s.thread("worker", [&] { tested.work(0); });
            s.thread("offerer", [&] {
                tested.offer(0);
                tested.offer_again();
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case forked({
    .structure = "forks",
    .name = "forks that must run together reach two workers, one of whom is called",
    .kills = {mutation::call_nobody, mutation::last_searcher_rule, mutation::thief_turn_kept},
    .limits = {.preemptions = 2, .stale_loads = 2, .random_executions = 60'000},
    .body =
        [](scenario& s) {
            small_scheduler<2, 2, forks<1, 2>> tested(s, 2);
            s.thread("first worker", [&] { tested.work(0); });
            s.thread("second worker", [&] { tested.work(1); });
            s.thread("home", [&] {
                tested.offer(0);
                tested.offer(1);
                tested.offer_again();
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

/// The one who was in a steal has found nothing and seen somebody search; the one who searched was
/// refused. The idle set is one for four workers, so that two of them may search.
const registered_case refused({
    .structure = "forks",
    .name = "a thief that was refused sees what is left before it sleeps",
    .kills = {mutation::thief_turn_excuses_look},
    .limits = {.preemptions = 2, .stale_loads = 1, .random_executions = 60'000},
    .body =
        [](scenario& s) {
            small_scheduler<4, 2, forks<2, 2>> tested(s);
            s.thread("first worker", [&] { tested.work(0); });
            s.thread("second worker", [&] { tested.work(1); });
            s.thread("homes", [&] {
                tested.offer(0);
                tested.produce(1);
                tested.run_own(0);
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case newcomer({
    .structure = "park",
    .name = "a worker that is claimed in the idle set is whole for who wakes it",
    .kills = {},
    .limits = {.preemptions = 3},
    .body =
        [](scenario& s) {
            idle_set idle(1, 1);
            env::cell<int> made{0};
            s.name(idle, "idle");
            const bool all = s.choose(2) == 0;
            s.thread("rescue worker", [&] {
                made.store(1);
                idle.announce_idle(1, false);
            });
            s.thread("producer", [&, all] {
                const auto wake = [&](std::size_t) { require(made.load() == 1, "it is whole"); };
                if (all) return idle.notify_all(wake);
                if (auto claimed = idle.notify_one()) wake(*claimed);
            });
            s.finally([] {});
        },
});

}  // namespace

TEST_CASE("no wake-up is lost between producers and parked workers", "[park]") {
    check_cases("park");
}

TEST_CASE("a fork over an older one needs no call of its own", "[park]") { check_cases("forks"); }

}  // namespace weft::model
