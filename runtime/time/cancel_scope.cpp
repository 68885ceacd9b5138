// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/time/cancel_scope.hpp"

#include "time/scope_core.hpp"
#include "weft/error.hpp"
#include "weft/task/fork_node.hpp"
#include "weft/task/task_state.hpp"

namespace weft::detail {

/// Its fields are guarded by the core's mutex, but self_ before the body begins.
class scope_state final : public timer_waiter,
                          public scope_core<real_environment, scope_state>,
                          public std::enable_shared_from_this<scope_state> {
public:
    explicit scope_state(time_point deadline) noexcept
        : timer_waiter(&on_fire), scope_core(deadline) {}

    void enter(runnable& self) {
        self_ = &self;
        scope_core::enter(self.lifecycle);
    }
    bool cancel(reason_ref why) {
        return scope_core::cancel([&] { reason_ = std::move(why); });
    }
    bool set_deadline(time_point deadline) {
        return scope_core::set_deadline(deadline, [this] {
            const runnable* caller = current_runnable();
            if (caller != nullptr && caller->owner == self_->owner) return;
            throw usage_error(
                "the deadline of a cancel_scope is set by its own task while it runs; from "
                "elsewhere cancel it");
        });
    }

    // What the core asks for.
    [[nodiscard]] std::uint32_t request() noexcept {
        return request_cancel_in_scope(*self_, reason_);
    }
    void note_deadline() noexcept {
        reason_ = make_reason("the deadline passed", std::source_location::current());
    }
    void arm_timer(time_point deadline) {
        self_->limits.fetch_add(1, std::memory_order_relaxed);  // a count; see runnable
        this_worker()->arm(*this, deadline);
    }
    [[nodiscard]] bool disarm_timer() noexcept {
        self_->limits.fetch_sub(1, std::memory_order_relaxed);  // a count
        return port->disarm(*this);
    }

private:
    static std::uint64_t on_fire(timer_waiter& waiter) noexcept {
        auto& scope = static_cast<scope_state&>(waiter);
        std::uint64_t task = 0;
        scope.pass_deadline([&] { task = scope.self_->owner->id(); });
        return task;
    }

    runnable* self_ = nullptr;
    reason_ref reason_;
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

auto cancel_scope::deadline() const -> time_point { return state_->current_deadline(); }

bool cancel_scope::set_deadline(time_limit limit) const {
    return state_->set_deadline(detail::resolve(limit).when);
}

}  // namespace weft
