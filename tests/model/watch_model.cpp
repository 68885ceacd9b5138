// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The watchdog's sleep, its look at what runs, and the rescue workers that it calls, under the
// model checker. A worker that is stuck until the watchdog has seen it, or until another worker has
// run something, makes every lost call a deadlock.
#include <array>
#include <cstdint>
#include <optional>

#include "engine/cases.hpp"
#include "support/catch.hpp"
#include "weft/park/duty_roster.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"
#include "weft/park/watch_gate.hpp"
#include "weft/ports/running_slot.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::park_result;
using weft::detail::retract_result;
using parker = weft::detail::parker<env>;
using idle_set = weft::detail::idle_set<env>;
using watch_gate = weft::detail::watch_gate<env>;
using running_slot = weft::detail::running_slot<env, env::cell<int>, env::cell<int>>;
using duty_roster = weft::detail::duty_roster<env>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto forever = std::chrono::steady_clock::time_point::max();
constexpr auto without_limit = [] { return forever; };

class flag {
public:
    void raise() {
        word_.store(1, release);
        env::futex_wake(word_, 8);
    }
    void await() {
        while (word_.load(acquire) == 0) env::futex_wait(word_, 0, forever);
    }

private:
    env::atomic<std::uint32_t> word_{0};
};

/// Workers that wake up and are stuck until the watchdog has seen them awake.
scenario_body waking(std::size_t workers, bool sleeps_twice = false) {
    return [=](scenario& s) {
        idle_set idle(workers);
        watch_gate gate;
        std::array<flag, 2> seen;
        s.name(idle, "idle");
        s.name(gate, "gate");
        for (std::size_t w = 0; w < workers; ++w) idle.announce_idle(w, false);
        for (std::size_t w = 0; w < workers; ++w) {
            s.thread("worker", [&, w] {
                static_cast<void>(idle.retract_idle(w));
                gate.call();
                seen[w].await();
            });
        }
        s.thread("watchdog", [&] {
            const auto all_idle = [&] { return idle.idle_count() == workers; };
            if (sleeps_twice && !gate.sleep_while(all_idle, [] { return env::now(); }))
                require(false, "nobody closes it");
            if (!gate.sleep_while(all_idle, without_limit)) require(false, "nobody closes it");
            for (std::size_t w = 0; w < workers; ++w) {
                // As the real one looks again and again while somebody is awake.
                while (idle.is_idle(w)) static_cast<void>(gate.pause(env::now()));
                seen[w].raise();
            }
        });
        s.finally([] {});
    };
}

const registered_case one_wakes({
    .structure = "watch",
    .name = "a worker that wakes up calls a watchdog that sleeps",
    .kills = {mutation::watch_without_heavy_fence, mutation::watch_sleeps_without_look},
    .limits = {.preemptions = 4, .stale_loads = 2, .early_timeouts = 4},
    .body = waking(1),
});

const registered_case one_wakes_late({
    .structure = "watch",
    .name = "a worker calls a watchdog whose sleep has a limit, or its next one, which has none",
    .kills = {mutation::watch_without_heavy_fence, mutation::watch_sleeps_without_look},
    .limits = {.preemptions = 4, .stale_loads = 2, .early_timeouts = 4},
    .body = waking(1, true),
});

const registered_case two_wake({
    .structure = "watch",
    .name = "two workers that wake up call it once",
    .kills = {mutation::watch_without_heavy_fence},
    .limits = {.preemptions = 2, .stale_loads = 1, .early_timeouts = 4},
    .body = waking(2),
});

const registered_case closing({
    .structure = "watch",
    .name = "closing ends either sleep of the watchdog",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body =
        [](scenario& s) {
            watch_gate gate;
            s.name(gate, "gate");
            bool sleeps = s.choose(2) == 0;
            s.thread("watchdog", [&, sleeps] {
                while (sleeps ? gate.sleep_while([] { return true; }, without_limit)
                              : gate.pause(forever)) {
                }
            });
            s.thread("worker", [&] { gate.call(); });
            s.thread("closer", [&] { gate.close(); });
            s.finally([] {});
        },
});

/// What the worker ran is gone as soon as it has cleared the slot.
const registered_case visited({
    .structure = "watch",
    .name = "what runs stays while the watchdog looks at it",
    .kills = {mutation::slot_cleared_without_look, mutation::slot_visited_without_fence},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            running_slot slot;
            std::array<env::cell<int>, 2> tasks{};
            s.name(slot, "slot");
            s.name(tasks, "tasks");
            s.thread("worker", [&] {
                for (env::cell<int>& task : tasks) {
                    task.store(1);  // whole
                    slot.set(task);
                    slot.clear();
                    task.store(2);  // gone
                }
            });
            s.thread("watchdog", [&] {
                slot.visit([](env::cell<int>& task, env::cell<int>* /*await*/) {
                    require(task.load() == 1, "it is whole and not gone");
                });
            });
            s.finally([] {});
        },
});

/// The first task awaits the second one directly; the await is gone once it goes on.
const registered_case visited_with_await({
    .structure = "watch",
    .name = "a direct await stays while the watchdog looks at its task",
    .kills = {mutation::slot_keeps_its_await, mutation::slot_cleared_without_look},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            running_slot slot;
            std::array<env::cell<int>, 2> tasks{};
            env::cell<int> await;
            s.name(slot, "slot");
            s.name(tasks, "tasks");
            s.name(await, "await");
            const bool is_cleared_first = s.choose(2) == 0;  // as by a task that suspends
            s.thread("worker", [&, is_cleared_first] {
                for (env::cell<int>& task : tasks) task.store(1);
                slot.set(tasks[0]);
                await.store(1);  // whole
                slot.begin_direct(await);
                slot.set(tasks[1]);
                if (is_cleared_first) slot.clear();
                slot.end_direct();
                await.store(2);  // gone, as its task
                tasks[1].store(2);
                slot.set(tasks[0]);
                slot.clear();
            });
            s.thread("watchdog", [&] {
                slot.visit([](env::cell<int>& task, env::cell<int>* direct) {
                    require(task.load() == 1, "the task is whole and not gone");
                    if (direct == nullptr) return;
                    require(direct->load() == 1, "the await is whole and not gone");
                });
            });
            s.finally([] {});
        },
});

/// Regular worker 0 and rescue worker 1. An item is a flag; `stuck` keeps whoever runs the first
/// one until the second one has run.
class small_runtime {
public:
    explicit small_runtime(scenario& s, bool stuck) : stuck_(stuck) {
        s.name(idle_, "idle");
        s.name(duty_, "duty");
        s.name(parkers_, "parkers");
        s.name(items_, "items");
    }

    void produce(std::size_t item) {
        items_[item].store(1, release);
        wake(idle_.notify_one());
    }

    void set_duty(std::uint32_t wanted) {
        duty_.set(wanted, [&](std::uint32_t i) { unpark(1 + i); });
    }

    void work(std::size_t w) {
        bool is_searching = false;
        while (stop_.load(acquire) == 0) {
            is_searching = is_searching || idle_.begin_search();
            if (auto item = take()) {
                if (!is_searching || idle_.finish_search_found()) wake(idle_.notify_one());
                is_searching = false;
                run(*item);
            } else if (w == 1 && !duty_.wants(0)) {
                if (idle_.retire(is_searching)) wake(idle_.notify_one());
                is_searching = false;
                require(parkers_[w].park_futex(forever) == park_result::notified, "by a token");
            } else {
                is_searching = rest(w, is_searching);
            }
        }
        if (is_searching && idle_.finish_search_found()) wake(idle_.notify_one());
    }

    void await_stuck() { first_runs_.await(); }

    void expect_quiet() {
        require(ran_.load(relaxed) == 2, "every item ran");
        require(idle_.searching() == 0, "nobody is counted as searching any more");
    }

private:
    void wake(std::optional<std::size_t> w) {
        if (w) unpark(*w);
    }
    void unpark(std::size_t w) { static_cast<void>(parkers_[w].unpark()); }

    std::optional<std::size_t> take() {
        for (std::size_t i = 0; i < items_.size(); ++i) {
            std::uint32_t one = 1;
            if (items_[i].load(relaxed) == 1 && items_[i].compare_exchange_strong(one, 2, acquire))
                return i;
        }
        return std::nullopt;
    }

    /// As worker::park; true if it is a searcher afterwards.
    bool rest(std::size_t w, bool was_searching) {
        std::optional<std::size_t> item;
        bool has_found = idle_.announce_idle(w, was_searching, [&] {
            item = take();
            return item || stop_.load(acquire) != 0;
        });
        if (!has_found) {
            bool is_notified = parkers_[w].park_futex(forever) == park_result::notified;
            require(is_notified, "without a deadline only a token ends a park");
        }
        bool is_searching = idle_.retract_idle(w) == retract_result::claimed;
        if (is_searching) static_cast<void>(parkers_[w].clear_token());
        if (!item) return is_searching;
        if (!is_searching || idle_.finish_search_found()) wake(idle_.notify_one());
        run(*item);
        return false;
    }

    void run(std::size_t item) {
        if (item == 0 && stuck_) {
            first_runs_.raise();
            second_ran_.await();
        }
        if (item == 1) second_ran_.raise();
        if (ran_.fetch_add(1, acq_rel) + 1 != items_.size()) return;
        stop_.store(1, release);
        idle_.notify_all([&](std::size_t w) { unpark(w); });
        unpark(1);  // who rests is in no set
    }

    idle_set idle_{1, 1};
    duty_roster duty_;
    std::array<parker, 2> parkers_;
    std::array<env::atomic<std::uint32_t>, 2> items_{};
    env::atomic<std::uint32_t> ran_{0};
    env::atomic<std::uint32_t> stop_{0};
    flag first_runs_, second_ran_;
    bool stuck_;
};

const registered_case to_the_rescue({
    .structure = "rescue",
    .name = "a rescue worker runs what a stuck worker waits for",
    .kills = {mutation::duty_unparks_first},
    .limits = {.preemptions = 2, .random_executions = 40'000},
    .body =
        [](scenario& s) {
            small_runtime tested(s, true);
            s.thread("worker", [&] { tested.work(0); });
            s.thread("rescue worker", [&] { tested.work(1); });
            s.thread("watchdog", [&] {
                tested.await_stuck();
                tested.set_duty(1);
            });
            s.thread("producer", [&] {
                tested.produce(0);
                tested.await_stuck();
                tested.produce(1);
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

const registered_case sent_to_rest({
    .structure = "rescue",
    .name = "a rescue worker that is sent to rest takes no wake-up with it",
    .kills = {mutation::idle_retires_silently, mutation::last_searcher_rule},
    .limits = {.preemptions = 2, .random_executions = 60'000},
    .body =
        [](scenario& s) {
            small_runtime tested(s, false);
            tested.set_duty(1);
            s.thread("worker", [&] { tested.work(0); });
            s.thread("rescue worker", [&] { tested.work(1); });
            s.thread("watchdog", [&] { tested.set_duty(0); });
            s.thread("producer", [&] {
                tested.produce(0);
                tested.produce(1);
            });
            s.finally([&] { tested.expect_quiet(); });
        },
});

}  // namespace

TEST_CASE("no wake-up is lost between the watchdog and the workers", "[watch]") {
    check_cases("watch");
}

TEST_CASE("no wake-up is lost where rescue workers begin and rest", "[watch]") {
    check_cases("rescue");
}

}  // namespace weft::model
