// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// When a cancel scope's body is asked to stop, and how that is taken back at its end.
//
// Protocol: cancel scope               checked by: tests/model/scope_model.cpp,
//            tests/stress/cancel_scope_stress_test.cpp; the level that it raises:
//            lifecycle_level.hpp
// Roles      body (the worker that runs it) · canceller (any thread) · driver of the deadline
// Fields     all → mutex_
// Invariants S1 the level of the body's runnable counts this scope from its cancellation, or its
//               begin, to its end; and so does `cancelling`.
//            S2 a timer that is armed, or fires, keeps the state: it may fire after the end, and
//               then does nothing.
// Edges      the mutex
// Races      cancel against the end: one after the other, under the mutex; a request that was made
//            is withdrawn, one that was not is none.
//            a deadline is set while the one before fires: too late, and the body is cancelled.
// Progress   the end waits for a canceller that walks the tasks that the body awaits.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "weft/model/environment.hpp"
#include "weft/model/mutation.hpp"
#include "weft/task/lifecycle_level.hpp"

namespace weft::detail {

/// `Host`, in a std::shared_ptr; under the lock: request() asks the body's task and gives the
/// epoch, note_deadline() keeps that as the reason, arm_timer(deadline), disarm_timer() is false if
/// it has fired or is about to.
template <class Env, class Host>
class scope_core {
public:
    using life = lifecycle<Env>;

    scope_core(const scope_core&) = delete;
    scope_core& operator=(const scope_core&) = delete;

    /// True once.
    [[nodiscard]] bool claim() {
        std::lock_guard guard{mutex_};
        return !std::exchange(claimed_, true);
    }

    // Body. `word`: its runnable's.
    void enter(life& word) {
        std::lock_guard guard{mutex_};
        word_ = &word;
        baseline_ = word.seen_requests();
        if (cancelled_)
            request();
        else
            arm();
    }
    /// True: it was cancelled, that ended the body, and nothing around it is.
    [[nodiscard]] bool leave(bool ended_cancelled) noexcept {
        std::lock_guard guard{mutex_};
        life& word = *std::exchange(word_, nullptr);
        over_ = true;
        static_cast<void>(disarm());
        if (!cancelled_) return false;
        const bool is_outermost = level::lower(word) == 0;
        if (mutated<Env>(mutation::scope_keeps_its_request)) return false;
        word.withdraw(epoch_, baseline_);
        // A request that is still to be delivered has not ended the body.
        const bool is_alone = word.seen_requests() <= baseline_;
        caught_ = ended_cancelled && is_outermost && is_alone;
        return caught_;
    }

    /// Any thread. True once, and not after the end; note_why() under the lock.
    template <class Note>
    bool cancel(Note note_why) {
        std::unique_lock guard{mutex_};
        if (cancelled_ || over_) return false;
        cancelled_ = true;
        note_why();
        const bool runs = word_ != nullptr;
        if (mutated<Env>(mutation::scope_asks_after_the_end)) guard.unlock();
        if (runs) request();
        return true;
    }
    /// check_caller() is called, and may throw, while the body runs.
    template <class Check>
    bool set_deadline(time_point deadline, Check check_caller) {
        std::lock_guard guard{mutex_};
        if (cancelled_ || over_) return false;
        if (word_ != nullptr) {
            check_caller();
            if (!disarm()) return false;  // it has just passed
        }
        deadline_ = deadline;
        if (word_ != nullptr) arm();
        return true;
    }
    /// Driver. look() under the lock, if the body runs.
    template <class Look>
    void pass_deadline(Look look) noexcept {
        std::shared_ptr<Host> kept;
        {
            std::lock_guard guard{mutex_};
            kept = std::move(kept_by_timer_);  // S2
            if (word_ != nullptr) look();
        }
        cancel([this] { host().note_deadline(); });
    }

    [[nodiscard]] bool is_cancelled() {
        std::lock_guard guard{mutex_};
        return cancelled_;
    }
    [[nodiscard]] bool is_caught() {
        std::lock_guard guard{mutex_};
        return caught_;
    }
    [[nodiscard]] time_point current_deadline() {
        std::lock_guard guard{mutex_};
        return deadline_;
    }

protected:
    explicit scope_core(time_point deadline) noexcept : deadline_(deadline) {}
    ~scope_core() = default;

private:
    using level = lifecycle_level<Env>;

    /// S1
    void request() noexcept {
        level::raise(*word_);
        epoch_ = host().request();
    }
    void arm() {
        if (deadline_ == time_point::max()) return;
        if (deadline_ <= Env::now()) {
            cancelled_ = true;
            host().note_deadline();
            return request();
        }
        if (!mutated<Env>(mutation::scope_timer_keeps_nothing)) {
            kept_by_timer_ = host().shared_from_this();
        }
        is_armed_ = true;
        host().arm_timer(deadline_);
    }
    /// False: it has fired, or is about to.
    [[nodiscard]] bool disarm() noexcept {
        if (!std::exchange(is_armed_, false)) return true;
        if (!host().disarm_timer()) return false;
        kept_by_timer_ = nullptr;
        return true;
    }
    [[nodiscard]] Host& host() noexcept { return static_cast<Host&>(*this); }

    typename Env::mutex mutex_;
    time_point deadline_;
    life* word_ = nullptr;  // while it runs
    bool claimed_ = false, cancelled_ = false, over_ = false, caught_ = false;
    bool is_armed_ = false;
    std::uint32_t baseline_ = 0, epoch_ = 0;
    std::shared_ptr<Host> kept_by_timer_;
};

}  // namespace weft::detail
