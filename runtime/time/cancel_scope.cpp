// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Protocol: cancel scope               checked by: tests/stress/cancel_scope_stress_test.cpp; the
//            level that it raises: lifecycle_level.hpp
// Roles      body (the worker that runs it) · canceller (any thread) · driver of the deadline
// Fields     all → mutex
// Invariants S1 the level of the body's runnable counts this scope from its cancellation, or its
//               begin, to its end; and so does `cancelling`.
//            S2 a timer that is armed, or fires, keeps the state: it may fire after the end, and
//               then does nothing.
// Races      cancel against the end: one after the other, under the mutex; a request that was made
//            is withdrawn, one that was not is none.
// Progress   the end waits for a canceller that walks the tasks that the body awaits.

#include "weft/time/cancel_scope.hpp"

#include <mutex>

#include "weft/error.hpp"
#include "weft/task/fork_node.hpp"
#include "weft/task/lifecycle_level.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

using level = lifecycle_level<real_environment>;

class scope_state final : public timer_waiter, public std::enable_shared_from_this<scope_state> {
public:
    explicit scope_state(time_point deadline) noexcept
        : timer_waiter(&on_fire), deadline_(deadline) {}

    [[nodiscard]] bool claim() {
        std::lock_guard guard{mutex_};
        return !std::exchange(claimed_, true);
    }
    void enter(runnable& self) {
        std::lock_guard guard{mutex_};
        self_ = &self;
        baseline_ = self.lifecycle.seen_requests();
        if (cancelled_)
            request();
        else
            arm();
    }
    [[nodiscard]] bool leave(bool ended_cancelled) noexcept {
        std::lock_guard guard{mutex_};
        runnable& self = *std::exchange(self_, nullptr);
        over_ = true;
        if (is_armed_) self.limits.fetch_sub(1, std::memory_order_relaxed);  // a count
        disarm();
        if (!cancelled_) return false;
        const bool is_outermost = level::lower(self.lifecycle) == 0;
        const bool is_alone = self.lifecycle.withdraw(epoch_, baseline_) <= baseline_;
        caught_ = ended_cancelled && is_outermost && is_alone;
        return caught_;
    }

    bool cancel(reason_ref why) {
        std::lock_guard guard{mutex_};
        if (cancelled_ || over_) return false;
        cancelled_ = true;
        reason_ = std::move(why);
        if (self_ != nullptr) request();
        return true;
    }
    bool set_deadline(time_point deadline) {
        std::lock_guard guard{mutex_};
        if (cancelled_ || over_) return false;
        if (self_ != nullptr) {
            const runnable* caller = current_runnable();
            if (caller == nullptr || caller->owner != self_->owner) {
                throw usage_error(
                    "the deadline of a cancel_scope is set by its own task while it runs; from "
                    "elsewhere cancel it");
            }
            if (is_armed_) self_->limits.fetch_sub(1, std::memory_order_relaxed);  // a count
            if (!disarm()) return false;  // it has just passed
        }
        deadline_ = deadline;
        if (self_ != nullptr) arm();
        return true;
    }

    [[nodiscard]] bool is_cancelled() {
        std::lock_guard guard{mutex_};
        return cancelled_;
    }
    [[nodiscard]] bool is_caught() {
        std::lock_guard guard{mutex_};
        return caught_;
    }
    [[nodiscard]] time_point deadline() {
        std::lock_guard guard{mutex_};
        return deadline_;
    }

private:
    static std::uint64_t on_fire(timer_waiter& waiter) noexcept {
        auto& scope = static_cast<scope_state&>(waiter);
        std::shared_ptr<scope_state> kept;
        std::uint64_t task = 0;
        {
            std::lock_guard guard{scope.mutex_};
            kept = std::move(scope.kept_by_timer_);  // S2
            if (scope.self_ != nullptr) task = scope.self_->owner->id();
        }
        kept->cancel(make_reason("the deadline passed", std::source_location::current()));
        return task;
    }
    /// S1
    void request() noexcept {
        level::raise(self_->lifecycle);
        epoch_ = request_cancel_in_scope(*self_, reason_);
    }
    void arm() {
        if (deadline_ == time_point::max()) return;
        if (deadline_ <= real_environment::now()) {
            cancelled_ = true;
            reason_ = make_reason("the deadline passed", std::source_location::current());
            return request();
        }
        kept_by_timer_ = shared_from_this();
        is_armed_ = true;
        self_->limits.fetch_add(1, std::memory_order_relaxed);  // a count; see runnable
        this_worker()->arm(*this, deadline_);
    }
    /// False: it has fired, or is about to.
    bool disarm() noexcept {
        if (!std::exchange(is_armed_, false)) return true;
        if (!port->disarm(*this)) return false;
        kept_by_timer_ = nullptr;
        return true;
    }

    std::mutex mutex_;
    time_point deadline_;
    runnable* self_ = nullptr;  // while it runs
    bool claimed_ = false, cancelled_ = false, over_ = false, caught_ = false;
    bool is_armed_ = false;
    std::uint32_t baseline_ = 0, epoch_ = 0;
    reason_ref reason_;
    std::shared_ptr<scope_state> kept_by_timer_;
};

void scope_run::enter(runnable& self) { state_->enter(self); }

bool scope_run::leave(bool ended_cancelled) noexcept { return state_->leave(ended_cancelled); }

}  // namespace weft::detail

namespace weft {

cancel_scope::cancel_scope(time_limit limit)
    : state_(std::make_shared<detail::scope_state>(detail::resolve(limit).when)) {}

void cancel_scope::claim() const {
    if (!state_->claim()) {
        throw usage_error("a cancel_scope runs one body, once; make another for the next");
    }
}

bool cancel_scope::cancel(std::string_view reason, std::source_location where) const {
    return state_->cancel(detail::make_reason(reason, where));
}

bool cancel_scope::cancel_called() const { return state_->is_cancelled(); }

bool cancel_scope::cancelled_caught() const { return state_->is_caught(); }

auto cancel_scope::deadline() const -> time_point { return state_->deadline(); }

bool cancel_scope::set_deadline(time_limit limit) const {
    return state_->set_deadline(detail::resolve(limit).when);
}

}  // namespace weft
