// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/task/context.hpp"

#include <mutex>

#include "task/task_extras.hpp"
#include "weft/error.hpp"
#include "weft/task/task_state.hpp"

namespace weft {

namespace detail {

namespace {

/// Tells contexts from tasks, whose ids count up from 1.
constexpr std::uint64_t context_bit = std::uint64_t{1} << 63;

task_state& task_to_enter() {
    if (task_state* const task = settable_task()) return *task;
    if (current_runnable() == nullptr) {
        throw usage_error(
            "a context is entered in tasks and callbacks: give runtime::spawn or block_on a "
            "coroutine, context.run(body())");
    }
    throw usage_error(
        "a context cannot be entered in a child of when_all or of a parallel loop, which shares "
        "its task's values with its siblings: use gather");
}

}  // namespace

/// The values change hands at the entry and at the end: meanwhile the task alone has what it sets.
class context_state {
public:
    explicit context_state(context_ref values) noexcept : values_(std::move(values)) {}

    [[nodiscard]] bool try_enter() noexcept {
        std::lock_guard guard{mutex_};
        return !std::exchange(is_entered_, true);
    }
    void leave() noexcept {
        std::lock_guard guard{mutex_};
        is_entered_ = false;
    }
    [[nodiscard]] context_ref values() noexcept {
        std::lock_guard guard{mutex_};
        return values_;
    }
    /// What goes is the caller's, to be destroyed without the lock.
    void swap_values(context_ref& with) noexcept {
        std::lock_guard guard{mutex_};
        std::swap(values_, with);
    }

    const std::uint64_t number = context_bit | next_variable();

private:
    std::mutex mutex_;
    context_ref values_;       // guarded by mutex_
    bool is_entered_ = false;  // guarded by mutex_
};

context_claim::context_claim(std::shared_ptr<context_state> of) {
    if (!of->try_enter()) {
        throw usage_error(
            "this context is entered already: wait until what runs in it has ended, or use "
            "context.copy()");
    }
    of_ = std::move(of);
}

context_claim::~context_claim() {
    if (of_ != nullptr) of_->leave();
}

std::shared_ptr<const std::uint64_t> context_claim::number() const noexcept {
    return {of_, &of_->number};
}

context_entry::context_entry(context_claim claim) : claim_(std::move(claim)) {
    task_state& task = task_to_enter();
    const context_ref values = claim_.of().values();
    outside_ = task.exchange_context(task_context::entered(values.get(), claim_.number()));
}

context_entry::~context_entry() {
    task_state* const task = settable_task();
    WEFT_CHECK(task != nullptr && place_of(*task) == claim_.of().number,
               "a context was left in another task, or another context, than it was entered in");
    const context_ref inside = task->exchange_context(std::move(outside_));
    context_ref values = task_context::passed_on(inside.get());
    claim_.of().swap_values(values);
}

}  // namespace detail

context::context(detail::context_ref values)
    : state_(std::make_shared<detail::context_state>(std::move(values))) {}

detail::context_ref context::values() const {
    const detail::runnable* const self = detail::current_runnable();
    if (self != nullptr && detail::place_of(*self->owner) == state_->number)
        return detail::task_context::passed_on(self->owner->context());
    return state_->values();
}

std::shared_ptr<const void> context::find(std::uint64_t variable) const {
    const detail::context_ref map = values();
    return map.get() != nullptr ? map.get()->find(variable) : nullptr;
}

context copy_context() { return context(detail::context_to_pass_on()); }

context copy_context(const any_task& of) {
    detail::task_state* const task = detail::task_access::state(of);
    WEFT_CHECK(task != nullptr, "this task handle is empty or was moved from");
    const detail::runnable* const self = detail::current_runnable();
    if (self != nullptr && self->owner == task) return copy_context();
    if (!task->has_extras()) return {};
    // In the word they could go while somebody looks; in the seldom-needed part they are guarded.
    detail::task_extras& more = task->extras();
    detail::context_ref values;
    {
        std::lock_guard guard{more.mutex};
        values = detail::task_context::passed_on(more.context.get());
    }
    return context(std::move(values));
}

}  // namespace weft
