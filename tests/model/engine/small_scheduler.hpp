// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// A small scheduler around the idle set and the parkers: its workers search, announce, re-scan and
// park as the worker loop does. Its items can be made to end only when enough workers run them at
// the same time, so that a lost wake-up is a deadlock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "cases.hpp"
#include "weft/park/idle_set.hpp"
#include "weft/park/parker.hpp"

namespace weft::model {

/// `Source`: put(item) publishes an item and says whether a worker is to be called for it;
/// take(worker) returns one, or nothing. Where thieves take turns also has_any(), the look before
/// a sleep, was_refused(worker), by its last take(), take_past_turn(worker), take_back(item) and
/// try_take_turn().
template <std::size_t Workers, std::size_t Items, class Source>
class small_scheduler {
    using env = mutable_environment;

public:
    /// `together`: how many items must be running at the same time before any of them may end.
    explicit small_scheduler(scenario& s, std::uint32_t together = 1)
        : idle_(Workers), items_(s), together_(together) {
        s.name(idle_, "idle");
        s.name(parkers_, "parkers");
        s.name(stop_, "stop");
        s.name(running_, "running");
    }

    void produce(std::size_t item) {
        payload_[item].store(1);
        items_.put(item);
        wake(idle_.notify_one());
    }
    /// A worker's own item, without a fence.
    void offer(std::size_t item) {
        payload_[item].store(1);
        if (items_.put(item)) wake(idle_.call_one());
    }
    /// Later, by that worker or by the watchdog. The fence stands for the time that has passed.
    void offer_again() {
        env::seq_cst_fence();
        wake(idle_.call_one());
    }

    /// A worker's own item, unless that was stolen.
    void run_own(std::size_t item) {
        if (items_.take_back(item)) finish(item);
    }

    void work(std::size_t w) {
        while (!has_stopped()) {
            bool is_searching = idle_.begin_search();
            if (is_searching) {
                if (auto item = items_.take(w)) {
                    run(*item, true);
                    continue;
                }
            }
            rest(w, is_searching);
        }
    }

    void expect_quiet() {
        require(executed_.load(std::memory_order_relaxed) == Items, "every item ran");
        require(idle_.searching() == 0, "nobody is counted as searching any more");
        require(idle_.idle_count() == 0, "nobody is counted as idle any more");
        if constexpr (has_turns) require(items_.try_take_turn(), "nobody has kept the turn");
    }

private:
    static constexpr bool has_turns = requires(Source source) { source.has_any(); };
    static constexpr auto forever = std::chrono::steady_clock::time_point::max();

    bool has_stopped() { return stop_.load(std::memory_order_acquire) != 0; }

    void wake(std::optional<std::size_t> w) {
        if (w) static_cast<void>(parkers_[*w].unpark());
    }

    /// What a parker sees at its peers and does not take yet.
    bool sees_any([[maybe_unused]] std::size_t w) {
        if constexpr (has_turns) {
            using enum weft::detail::mutation;
            if (weft::detail::mutated<env>(thief_turn_excuses_look) && items_.was_refused(w))
                return false;
            return idle_.searching() == 0 && items_.has_any();
        } else {
            return false;
        }
    }

    std::optional<std::size_t> take_after_rest(std::size_t w, [[maybe_unused]] bool is_left) {
        if constexpr (has_turns) {
            if (is_left) return items_.take_past_turn(w);
        }
        return items_.take(w);
    }

    /// Announce, re-scan, park, retract; runs what it found.
    void rest(std::size_t w, bool was_searching) {
        std::optional<std::size_t> item;
        bool is_left = false;
        bool has_found = idle_.announce_idle(w, was_searching, [&] {
            if constexpr (!has_turns) item = items_.take(w);
            is_left = sees_any(w);
            return item || is_left || has_stopped();
        });
        if (!has_found) {
            const auto ended_by = parkers_[w].park_futex(forever);
            require(ended_by == weft::detail::park_result::notified,
                    "without a deadline only a token ends a park");
        }
        bool is_searching = idle_.retract_idle(w) == weft::detail::retract_result::claimed;
        if (is_searching) static_cast<void>(parkers_[w].clear_token());
        if (is_left && !is_searching) {
            env::relax();  // as between two passes
            is_searching = idle_.begin_search();
        }
        if (!item && is_searching) item = take_after_rest(w, is_left);
        if (item) {
            run(*item, is_searching);
        } else if (is_searching && idle_.finish_search_found()) {
            wake(idle_.notify_one());
        }
    }

    void run(std::size_t item, bool is_searching) {
        if (!is_searching || idle_.finish_search_found()) wake(idle_.notify_one());
        finish(item);
    }

    void finish(std::size_t item) {
        require(payload_[item].load() == 1, "the item is whole, and taken for the first time");
        payload_[item].store(2);
        wait_for_company();
        if (executed_.fetch_add(1, std::memory_order_acq_rel) + 1 != Items) return;
        stop_.store(1, std::memory_order_release);
        idle_.notify_all([&](std::size_t w) { static_cast<void>(parkers_[w].unpark()); });
    }

    void wait_for_company() {
        if (together_ <= 1) return;
        auto now = running_.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (now == together_) env::futex_wake(running_, static_cast<int>(together_));
        for (; now < together_; now = running_.load(std::memory_order_acquire)) {
            env::futex_wait(running_, now, forever);
        }
    }

    weft::detail::idle_set<env> idle_;
    std::array<weft::detail::parker<env>, Workers> parkers_;
    std::array<env::cell<int>, Items> payload_;
    Source items_;
    env::atomic<std::uint32_t> executed_{0};
    env::atomic<std::uint32_t> running_{0};
    env::atomic<std::uint32_t> stop_{0};
    std::uint32_t together_;
};

}  // namespace weft::model
